import { expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { ask } from '../support/client.ts';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';

const redis = await startRedisServer(password, ['--appendonly', 'yes']);
const app = await startApp({ redisAddress: { url: redis.url } });
const readiness = async () => (await ask(app.url, 'get', '/readyz')).text;
const patience = { timeout: 15_000, interval: 50 };

test('/readyz says no while Redis is frozen, instead of waiting for it', async () => {
  redis.signal('SIGSTOP');
  await ask(app.url, 'get', '/readyz').expect(503, 'Redis does not answer\n');
  redis.signal('SIGCONT');
  await expect.poll(readiness, patience).toBe('ok\n');
});

test('a sign-in that was refused while Redis was away is not carried out when it is back', async () => {
  await redis.kill();
  await ask(app.url, 'post', '/login').type('form').send({ email: 'ann@example.com' }).expect(503);
  await redis.start();
  await expect.poll(readiness, patience).toBe('ok\n');
  expect(await redis.client((admin) => admin.dbSize())).toBe(0);
});
