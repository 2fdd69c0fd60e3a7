import { promises as dns } from 'node:dns';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { deadlineMs, withDeadline } from '../../src/redis/deadline.ts';
import { afterwards } from '../support/afterwards.ts';
import { connectUrl } from '../support/app.ts';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const name = 'redis.slow.test';

test('a connection is found again although DNS takes longer than an attempt may, as without its first server', async () => {
  const { port } = await startRedisServer(password);
  const link = await startTcpProxy({ host: '127.0.0.1', port });
  afterwards(link.close);
  const names = answerSlowly();
  const redis = await connectUrl(`redis://:${password}@${name}:${link.port}`);
  afterwards(() => redis.destroy());

  names.delayMs = 2500;
  link.reset();
  const answer = () => withDeadline(deadlineMs, redis.set('key', 'value')).catch(String);
  await expect.poll(answer).toContain('RedisUnavailable');
  await expect.poll(answer, { timeout: 15_000, interval: 50 }).toBe('OK');
  expect(names.mostAtOnce).toBe(1);

  // What is known is asked anew for the next loss.
  const askedBefore = names.asked;
  link.reset();
  await expect.poll(answer).toContain('RedisUnavailable');
  await expect.poll(answer, { timeout: 15_000, interval: 50 }).toBe('OK');
  expect(names.asked).toBeGreaterThan(askedBefore);
});

/** Lets a name lead to this machine, after a while. */
function answerSlowly() {
  const { lookup } = dns;
  const names = { delayMs: 0, asked: 0, mostAtOnce: 0 };
  let underWay = 0;
  const slow = async (host: string, options: object) => {
    if (host !== name) return lookup(host, options);
    names.asked += 1;
    underWay += 1;
    names.mostAtOnce = Math.max(names.mostAtOnce, underWay);
    await sleep(names.delayMs);
    underWay -= 1;
    return [{ address: '127.0.0.1', family: 4 }];
  };
  Reflect.set(dns, 'lookup', slow);
  afterwards(() => {
    dns.lookup = lookup;
  });
  return names;
}
