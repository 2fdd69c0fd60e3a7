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
  await client.get('x');
  await redis.client(async (node) => {
    let [heartbeats, changedAt] = ['', 0];
    const silenceMs = async () => {
      const [now = ''] = /cmdstat_hello:calls=\d+/.exec(await node.info('commandstats')) ?? [];
      if (now !== heartbeats) [heartbeats, changedAt] = [now, performance.now()];
      return performance.now() - changedAt;
    };
    // Six times as long as between two heartbeats of a connection that is used.
    await expect.poll(silenceMs, { timeout: 15_000, interval: 50 }).toBeGreaterThan(3000);
  });

  redis.signal('SIGSTOP');
  await expect(withDeadline(deadlineMs, client.get('x'))).rejects.toThrow('did not answer');
  // The next check of an unused connection would come later than that.
  await expect.poll(() => lines, { timeout: 8000, interval: 5 }).toContain('Redis lost');
  redis.signal('SIGCONT');
  await expect.poll(() => lines, { timeout: 8000 }).toContain('Redis back');
});
