import { describe, expect, test } from 'vitest';
import { tagOf } from '../../src/session/session-id.ts';
import { startApp } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import type { Visitor } from '../support/visitor.ts';
import { listen, twoTicks } from './listener.ts';

describe('while Redis is away, nothing is claimed, and what was missed is found out afterwards', async () => {
  const redis = await startRedisServer('live-tabs');
  const { url } = await startApp({ redisAddress: { url: redis.url } });
  const proxy = await startTcpProxy({ host: '127.0.0.1', port: redis.port });
  const partitioned = await startApp({
    redisAddress: { url: redis.url.replace(String(redis.port), String(proxy.port)) },
  });

  test.each<[string, (visitor: Visitor) => Promise<void>]>([
    [
      'when visitors notice that it is away',
      async (visitor) => {
        proxy.blackHole();
        expect((await listen(partitioned.url, visitor)).status).toBe(503);
      },
    ],
    [
      'when nobody asks anything meanwhile',
      async () => {
        proxy.hold();
        proxy.reset();
      },
    ],
  ])('%s', async (_when, lose) => {
    const [gone, kept] = [await signedIn(url), await signedIn(url)];
    const [ending, staying] = [await listen(partitioned.url, gone), await listen(partitioned.url, kept)];
    await lose(kept);
    await gone.post('/logout');
    await twoTicks(2);
    expect([ending.isOpen(), staying.isOpen()]).toEqual([true, true]);
    proxy.release();
    await expect.poll(ending.isOpen, { timeout: 20_000 }).toBe(false);
    expect(ending.owners()).toEqual([tagOf('ann@example.com'), 'nobody']);
    await twoTicks(2);
    expect([staying.isOpen(), staying.owners()]).toEqual([true, [tagOf('ann@example.com')]]);
  });
});
