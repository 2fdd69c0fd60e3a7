import { test } from 'vitest';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { expectUnreachable } from '../support/redis-start.ts';

const { port } = await startRedisServer(password);

test.concurrent('a host name that does not exist is told at start', async () => {
  await expectUnreachable('redis://redis.invalid:6379', /host( named)? redis\.invalid: check .*REDIS_URL$/);
});

test.concurrent.each([
  ['a database that there is not', `redis://:${password}@127.0.0.1:${port}/16`, /^ERR DB .*database in REDIS_URL$/],
  ['a wrong password', `redis://:wrong@127.0.0.1:${port}`, /^WRONGPASS: .*password in REDIS_URL$/],
  ['no password', `redis://127.0.0.1:${port}`, /^NOAUTH: .*write :password@ .*REDIS_URL$/],
  ['TLS where there is none', `rediss://:${password}@127.0.0.1:${port}`, /by TLS: .*write redis in REDIS_URL, not/],
])('a start says what to do about %s', async (_what, url, reason) => {
  await expectUnreachable(url, reason);
});
