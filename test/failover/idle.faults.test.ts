import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createLogger } from '../../src/log.ts';
import { deadlineMs, withDeadline } from '../../src/redis/deadline.ts';
import { afterwards } from '../support/afterwards.ts';
import { connectUrl } from '../support/app.ts';
import { startRedisServer } from '../support/redis-server.ts';

test('an unused connection costs next to nothing, and a lost Redis is noticed with the next command', async () => {
  const redis = await startRedisServer('of-the-operator');
  const lines: string[] = [];
  const client = await connectUrl(
    redis.url,
    createLogger('info', { write: (line) => lines.push(JSON.parse(line).msg) }),
  );
  afterwards(() => client.destroy());
  const heartbeats = async () => {
    const stats = await redis.client((node) => node.info('commandstats'));
    return Number(/cmdstat_hello:calls=(\d+)/.exec(stats)?.[1]);
  };
  await client.get('x');
  await sleep(3500);
  const before = await heartbeats();
  await sleep(3000);
  // Each look at the figures is a connection of its own, which begins with a heartbeat's command.
  expect((await heartbeats()) - before).toBeLessThanOrEqual(2);

  redis.signal('SIGSTOP');
  const askedAt = performance.now();
  await expect(withDeadline(deadlineMs, client.get('x'))).rejects.toThrow('did not answer');
  await expect.poll(() => lines, { timeout: 8000, interval: 5 }).toContain('Redis lost');
  expect(performance.now() - askedAt).toBeLessThan(2000);
  redis.signal('SIGCONT');
  await expect.poll(() => lines, { timeout: 8000 }).toContain('Redis back');
});
