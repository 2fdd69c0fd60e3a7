import { test } from 'vitest';
import { freePort } from '../support/process.ts';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { expectUnreachable } from '../support/redis-start.ts';

test('a Redis that is not there stops the start, with the reason', async () => {
  await expectUnreachable(`redis://127.0.0.1:${await freePort()}`, /ECONNREFUSED/);
});

test('so does one that is frozen', async () => {
  const redis = await startRedisServer(password);
  redis.signal('SIGSTOP');
  await expectUnreachable(redis.url, /did not answer within/);
});
