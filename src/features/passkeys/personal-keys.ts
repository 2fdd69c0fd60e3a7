import type { PersonalKeys } from '../../core.ts';
import type { RedisClient } from '../../redis/client.ts';
import { Accounts } from './accounts.ts';
import { decodeAccount, parseJson } from './record.ts';
import { UndoLinks } from './undo-links.ts';

/** What passkeys hold about a person. Forgetting leaves hashes of credential ids that lead to nobody any more. */
export function passkeyKeys(redis: RedisClient): PersonalKeys[] {
  const [accounts, links] = [new Accounts(redis), new UndoLinks(redis)];
  return [
    {
      kind: 'links that undo a change of passkeys',
      prefix: 'p:{tag}undo',
      describe: (_name, keys) => ({ links: keys.length }),
      forget: (_name, { email }) => links.forget(email),
    },
    {
      kind: 'links that undo a change of passkeys',
      prefix: 'p:undo:',
      describe: (_name, link, { email }) => {
        const { email: owner, action } = Object(parseJson(String(link)));
        return owner === email ? { action } : undefined;
      },
    },
    {
      kind: 'warnings about passkeys',
      prefix: 'p:{tag}warned:',
      describe: () => ({}),
    },
    {
      kind: 'passkeys',
      prefix: 'p:{tag}',
      describe(_name, fields) {
        const account = decodeAccount(new Map(Object.entries(fields)));
        const passkeys = account?.passkeys.map(({ name, createdAt, lastUsedAt }) => ({
          ...{ name, createdAt: new Date(createdAt) },
          lastUsedAt: lastUsedAt === undefined ? undefined : new Date(lastUsedAt),
        }));
        return { passkeys: passkeys ?? [] };
      },
      forget: (_name, { email }) => accounts.forget(email),
    },
    {
      kind: 'credential ids of passkeys',
      prefix: 'p:id:',
      describe: (_name, owner, { tag }) => (owner === tag ? {} : undefined),
    },
  ];
}
