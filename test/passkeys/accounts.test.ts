import { afterEach, expect, test, vi } from 'vitest';
import { Accounts } from '../../src/features/passkeys/accounts.ts';
import { handleOf } from '../../src/features/passkeys/record.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { address } from '../support/address.ts';
import { afterwards } from '../support/afterwards.ts';
import { connectNode, connectUrl } from '../support/app.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { testRedis } from '../support/test-redis.ts';
import { newPasskey } from './redis-uses.ts';

const redisAddress = await testRedis();
const redis = await connectNode(redisAddress);

/** The accounts as a process sees them whose answers from Redis can be delayed and held. */
async function accountsBehindLink(): Promise<{ accounts: Accounts; link: TcpProxy }> {
  const link = await startTcpProxy({ path: redisAddress.socketPath });
  const client = await connectUrl(`redis://127.0.0.1:${link.port}`);
  afterwards(async () => {
    client.destroy();
    await link.close();
  });
  return { accounts: new Accounts(client), link };
}

afterEach(() => void vi.useRealTimers());

/** A passkey that one process removes and another restores. */
async function contested() {
  const [remover, restorer] = [await accountsBehindLink(), await accountsBehindLink()];
  // Otherwise an answer that is held here could miss its deadline.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const email = address(`${crypto.randomUUID()}@example.com`);
  const passkey = newPasskey();
  const handle = handleOf(passkey.id);
  const account = await remover.accounts.prepare(email);
  await remover.accounts.add(account, passkey);
  const isStored = () => redis.hExists(`p:{${tagOf(email)}}`, handle);

  remover.link.delayMs = 100;
  const removing = remover.accounts.remove(email, handle);
  await expect.poll(isStored, { interval: 2 }).toBe(0);
  remover.link.holdAnswers();
  /** It has removed the passkey, and not yet marked it as removed. */
  const finishRemoval = () => {
    remover.link.release();
    return removing;
  };
  return { restorer, account, passkey, handle, finishRemoval };
}

test('a passkey that is restored before its removal is marked still signs in', async () => {
  const { restorer, account, passkey, finishRemoval } = await contested();
  expect(await restorer.accounts.add(account, passkey)).toBe('added');
  expect(await finishRemoval()).toBe(0);
  expect(await restorer.accounts.find(passkey.id)).toMatchObject({ passkey: { id: passkey.id } });
});

test('so does one whose removal is marked while it is restored', async () => {
  const { restorer, account, passkey, handle, finishRemoval } = await contested();
  await redis.del(`p:id:${handle}`);
  restorer.link.delayMs = 100;
  const restoring = restorer.accounts.add(account, passkey);
  await expect.poll(() => redis.exists(`p:id:${handle}`), { interval: 2 }).toBe(1);
  restorer.link.holdAnswers();
  expect(await finishRemoval()).toBe(0);
  restorer.link.release();
  expect(await restoring).toBe('added');
  restorer.link.delayMs = 0;
  expect(await restorer.accounts.find(passkey.id)).toMatchObject({ passkey: { id: passkey.id } });
});

test('a passkey is removed although Redis is full', async () => {
  const { accounts } = await accountsBehindLink();
  const passkey = newPasskey();
  const account = await accounts.prepare(address('full@example.com'));
  await accounts.add(account, passkey);
  await redis.configSet('maxmemory', '1');
  try {
    expect(await accounts.remove(account.email, handleOf(passkey.id))).toBe(0);
  } finally {
    await redis.configSet('maxmemory', '0');
  }
  expect(await accounts.find(passkey.id)).toBe('removed');
});
