import type { RedisClient } from '../../redis/client.ts';
import type { PersonalKeys } from '../../shared/operations.ts';
import { Accounts } from './accounts.ts';
import { providerName } from './providers.ts';
import { decodeAccount, handleOf, type Passkey } from './record.ts';
import { readLink } from './undo-links.ts';

/** What passkeys hold about a person. */
export function passkeyKeys(redis: RedisClient): PersonalKeys[] {
  const accounts = new Accounts(redis);
  return [
    {
      kind: 'passkeys',
      prefix: 'p:{tag}',
      describe(_name, value) {
        const account =
          typeof value === 'object' && !Array.isArray(value) && decodeAccount(new Map(Object.entries(value)));
        return account ? { userHandle: account.userHandle, passkeys: account.passkeys.map(describePasskey) } : {};
      },
      // Browsers that still have them can then be told.
      forget: (_name, { tag }) => accounts.forget(tag),
    },
    {
      kind: 'warnings about passkeys',
      prefix: 'p:{tag}warned:',
      describe: (name) => ({ passkey: name.slice(name.lastIndexOf(':') + 1) }),
    },
    {
      kind: 'passkeys by their ids',
      prefix: 'p:id:',
      describe: (name, value, { tag }) => (value === tag ? { passkey: name.slice('p:id:'.length) } : undefined),
    },
    {
      kind: 'links that undo a change to passkeys',
      prefix: 'p:undo:',
      describe(_name, value, { email }) {
        const undo = readLink(String(value));
        return undo?.email === email ? { action: undo.action, passkey: describePasskey(undo.passkey) } : undefined;
      },
    },
  ];
}

/** A passkey as its owner, or the operator, may see it. */
export function describePasskey(passkey: Passkey) {
  const { id, name, aaguid, transports, createdAt, lastUsedAt, counter, isSyncable, isSynced } = passkey;
  return {
    ...{ passkey: handleOf(id), credentialId: id, name, provider: providerName(aaguid), transports, counter },
    addedAt: new Date(createdAt),
    lastUsedAt: lastUsedAt === undefined ? undefined : new Date(lastUsedAt),
    ...{ isSyncable, isSynced },
  };
}
