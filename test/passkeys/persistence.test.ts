import { expect, test } from 'vitest';
import { Accounts } from '../../src/features/passkeys/accounts.ts';
import { handleOf } from '../../src/features/passkeys/record.ts';
import { latchkeyOn } from '../cli/run-latchkey.ts'; // feature: incidents
import { address } from '../support/address.ts';
import { connectUrl, startApp } from '../support/app.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { newPasskey } from './redis-uses.ts';

const email = address('ann@example.com');

const problem =
  'Redis keeps nothing on disk, so restarting it would lose the passkeys that it holds for good: set appendonly yes';

test('a Redis without persistence stops the start once there is a passkey, and only then', async () => {
  const { url } = await startRedisServer('of-the-operator', ['--save', '']);
  const client = await connectUrl(url);
  const accounts = new Accounts(client);
  const passkey = newPasskey();
  await accounts.add(await accounts.prepare(email), passkey);
  await expect(startApp({ redisAddress: { url } })).rejects.toMatchObject({ problems: [problem] });
  // feature: incidents
  const latchkey = latchkeyOn(url);
  const { text, exitCode } = await latchkey('doctor');
  expect({ text, exitCode }).toEqual({ text: expect.stringContaining(`TO DO start\n      ${problem}\n`), exitCode: 1 });
  expect((await latchkey('passkeys', email)).text).toContain(`${email} has 1 passkey.`);
  // end: incidents
  await accounts.remove(email, handleOf(passkey.id));
  await startApp({ redisAddress: { url } });
  client.destroy();
});

test('a Redis that may evict passkeys is told at start', async () => {
  const args = ['--appendonly', 'yes', '--maxmemory-policy', 'allkeys-lru'];
  const { url, client: ask } = await startRedisServer('of-the-operator', args);
  const client = await connectUrl(url);
  const accounts = new Accounts(client);
  await accounts.add(await accounts.prepare(email), newPasskey());
  client.destroy();
  const warnings = async () => (await startApp({ redisAddress: { url } })).logged().map(({ msg }) => String(msg));
  expect(await warnings()).toContain(
    'Redis may evict sessions and passkeys when it is full (allkeys-lru): set maxmemory-policy noeviction',
  );
  await ask((admin) => admin.configSet('maxmemory-policy', 'volatile-lru'));
  expect(await warnings()).toContain(
    'Redis may evict sessions when it is full (volatile-lru): set maxmemory-policy noeviction',
  );
});

test('a Redis that saves is taken', async () => {
  const { url } = await startRedisServer('of-the-operator', ['--appendonly', 'yes']);
  const client = await connectUrl(url);
  const accounts = new Accounts(client);
  await accounts.add(await accounts.prepare(email), newPasskey());
  await startApp({ redisAddress: { url } });
  client.destroy();
});
