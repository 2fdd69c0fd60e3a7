import { expect, test } from 'vitest';
import { Accounts } from '../../src/features/passkeys/accounts.ts';
import { handleOf } from '../../src/features/passkeys/record.ts';
import { address } from '../support/address.ts';
import { connectUrl } from '../support/app.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { newPasskey } from './redis-uses.ts';

const email = address('ann@example.com');

test('a Redis without persistence stops the start once there is a passkey, and only then', async () => {
  const { url } = await startRedisServer('of-the-operator', ['--save', '']);
  const client = await connectUrl(url);
  const accounts = new Accounts(client);
  const passkey = newPasskey();
  await accounts.add(await accounts.prepare(email), passkey);
  await expect(connectUrl(url)).rejects.toMatchObject({
    problems: [
      'Redis keeps nothing on disk, so restarting it would lose the passkeys that it holds for good: set appendonly yes',
    ],
  });
  await accounts.remove(email, handleOf(passkey.id));
  (await connectUrl(url)).destroy();
  client.destroy();
});

test('a Redis that saves is taken', async () => {
  const { url } = await startRedisServer('of-the-operator', ['--appendonly', 'yes']);
  const client = await connectUrl(url);
  const accounts = new Accounts(client);
  await accounts.add(await accounts.prepare(email), newPasskey());
  (await connectUrl(url)).destroy();
  client.destroy();
});
