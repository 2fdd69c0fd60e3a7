import { expect, test } from 'vitest';
import { handleOf } from '../../src/session/session-id.ts';
import { latchkeyOn } from '../cli/run-latchkey.ts';
import { startApp } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { testRedis } from '../support/test-redis.ts';
import { expectEnd, listen, twoTicks } from './listener.ts';

const redisAddress = await testRedis();
const env = {
  REDIS_KEY_PREFIX: 'latchkey:', // feature: redis-key-prefix
};
const { url } = await startApp({ redisAddress, env });
const latchkey = latchkeyOn(`unix://${redisAddress.socketPath}`, env);
const email = 'ann@example.com';

test.each<[string, (handle: string) => string[]]>([
  ['end ADDRESS', () => ['end', email]],
  ['end ADDRESS --session SESSION', (handle) => ['end', email, '--session', handle]],
  ['end --everyone', () => ['end', '--everyone']],
  ['forget ADDRESS', () => ['forget', email]],
])('a stream says that its session has ended by `latchkey %s`', async (_command, words) => {
  const visitor = await signedIn(url, email);
  const listener = await listen(url, visitor);
  await latchkey(...words(handleOf(visitor.sessionId)));
  await expectEnd(listener, email);
});

test('a stream of a session that begins after `latchkey end --everyone` goes on', async () => {
  await latchkey('end', '--everyone');
  const listener = await listen(url, await signedIn(url, email));
  await twoTicks(1);
  expect([listener.isOpen(), listener.owners().length]).toEqual([true, 1]);
});

test('when everybody is signed out, their browsers are told in batches', async () => {
  const { url: own, server } = await startApp({ redisAddress, env });
  const maxPages = server.maxConnections;
  const first = await listen(own, await signedIn(own));
  const addresses = Array.from({ length: 25 }, (_, number) => `visitor${number}@example.com`);
  const visitors = await Promise.all(addresses.map((address) => signedIn(own, address)));
  await Promise.all(visitors.flatMap((visitor) => [1, 2, 3, 4].map(() => listen(own, visitor))));
  const openAtFirst = server.maxConnections - maxPages;
  const told = (async () => {
    while (!first.owners().includes('nobody')) await first.next();
    return server.maxConnections - maxPages;
  })();
  await latchkey('end', '--everyone');
  expect([openAtFirst, await told]).toEqual([101, 1]);
  await expect.poll(() => server.maxConnections, { timeout: 15_000 }).toBe(maxPages);
});
