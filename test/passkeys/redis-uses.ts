import { expect } from 'vitest';
import { Accounts } from '../../src/features/passkeys/accounts.ts';
import { Challenges } from '../../src/features/passkeys/challenges.ts';
import { handleOf, type Passkey } from '../../src/features/passkeys/record.ts';
import { UndoLinks } from '../../src/features/passkeys/undo-links.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { address } from '../support/address.ts';
import { testSecret } from '../support/app.ts';
import { keepOutOfLogs } from '../support/secrets.ts';

const email = address('ann@example.com');

/** A passkey that no authenticator has. */
export function newPasskey(id: string = crypto.randomUUID()): Passkey {
  const made = { id, publicKey: 'pQECAyYg', aaguid: '', transports: ['internal'], createdAt: Date.now() };
  return { ...made, name: 'Passkey', counter: 5, lastUsedAt: undefined, isSyncable: true, isSynced: false };
}

/** What passkeys keep in Redis, each use once. */
export async function useRedis(redis: RedisClient): Promise<void> {
  const accounts = new Accounts(redis);
  const challenges = new Challenges(redis, [testSecret]);
  const challenge = challenges.issue('sign-in', 'browser');
  expect([await challenges.use(challenge), await challenges.use(challenge)]).toEqual([true, false]);

  const account = await accounts.prepare(email);
  const passkey = newPasskey();
  const handle = handleOf(passkey.id);
  expect(await accounts.add(account, passkey)).toBe('added');
  expect(await accounts.add(account, passkey)).toBe('there');
  expect(await accounts.rename(email, handle, 'Phone')).toBe(true);
  expect(await accounts.use(email, handle, { ...passkey, counter: 4, lastUsedAt: 1 })).toEqual({ counterBefore: 5 });
  expect(await accounts.find(passkey.id)).toMatchObject({ passkey: { name: 'Phone', counter: 4, lastUsedAt: 1 } });

  const links = new UndoLinks(redis);
  const undo = { action: 'remove', ...account, passkey } as const;
  const token = await links.create(undo, 60);
  keepOutOfLogs(token);
  expect(await links.find(token)).toMatchObject({ action: 'remove', email, passkey });
  expect(await links.use(token, undo, 'removed')).toBeUndefined();
  expect(await links.use(token, undo, 'was gone')).toBe('removed');

  expect(await accounts.remove(email, handle)).toBe(0);
  expect(await accounts.find(passkey.id)).toBe('removed');
  await accounts.revokeLinks(email);
  expect(await accounts.add(account, passkey)).toBe('other');
  expect(await accounts.forget(tagOf(email))).toBe(0);
}
