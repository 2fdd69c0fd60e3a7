import { afterEach, expect, test, vi } from 'vitest';
import { openRedis } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { countSessions } from '../../src/features/metrics/session-count.ts';
import { createLogger } from '../../src/log.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { type Figure, figures } from '../../src/shared/figures.ts';
import { afterwards } from '../support/afterwards.ts';
import { connectNode, type RedisAddress, startApp, targetOf } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { testRedis } from '../support/test-redis.ts';

const latest = new Map<string, Figure>();
afterwards(figures.subscribe((figure) => latest.set(figure.name, figure)));
const shown = (name: string) => {
  const figure = latest.get(name);
  return figure && 'set' in figure ? figure.set : undefined;
};
const sessions = () => shown('latchkey_sessions');
const sampledAt = () => shown('latchkey_sessions_sampled_timestamp_seconds') ?? 0;

afterEach(() => {
  latest.clear();
});

/** One more process that counts; its log and its client. */
async function openCounter(address: RedisAddress, env: Record<string, string> = {}) {
  const config = readConfig({ NODE_ENV: 'test', ...env });
  const lines: string[] = [];
  const log = createLogger('info', { write: (line) => lines.push(line) });
  const { client: redis } = await openRedis(targetOf(address), { config, log: createLogger('silent') });
  const service = countSessions({ redis, log });
  afterwards(async () => {
    await service.stop?.();
    redis.destroy();
  });
  return { service, lines, redis };
}

test.each([
  '',
  'latchkey:', // feature: redis-key-prefix
])('live sessions are counted by one process for all, with the key prefix "%s"', async (prefix) => {
  const address = await testRedis();
  const env = {
    REDIS_KEY_PREFIX: prefix, // feature: redis-key-prefix
  };
  const app = await startApp({ redisAddress: address, env });
  const visitors = await Promise.all(
    ['ann', 'ann', 'bob', 'cy'].map((name) => signedIn(app.url, `${name}@example.com`)),
  );
  expect((await visitors[0]?.post('/logout'))?.status).toBe(303);
  // Neither other keys, nor sessions of nobody.
  await app.redis.set(`${prefix}{${'A'.repeat(14)}}${'b'.repeat(22)}`, 'anonymous');
  await app.redis.set(`another:{${'c'.repeat(14)}}${'d'.repeat(22)}`, 'of another program');
  const first = await openCounter(address, env);
  await first.service.start?.();
  await expect.poll(sampledAt).toBeGreaterThan(Date.now() / 1000 - 60);
  expect(sessions()).toBe(3);

  latest.clear();
  const second = await openCounter(address, env);
  const scans = vi.spyOn(second.redis as Required<RedisClient>, 'nodes');
  await second.service.start?.();
  expect([sessions(), sampledAt() > 0]).toEqual([3, true]);
  expect(scans).not.toHaveBeenCalled();
});

test('a sample is whole however many keys there are, and takes many small steps', async () => {
  const address = await testRedis();
  const admin = await connectNode(address);
  const fill = `for number = 1, 25000 do
    redis.call('SET', string.format('{%014d}%022d', number, number), '')
    redis.call('SET', string.format('other:%d', number), '')
  end`;
  await admin.eval(fill);
  const { service } = await openCounter(address);
  await service.start?.();
  expect([sessions(), sampledAt()]).toEqual([0, 0]);
  await expect.poll(sampledAt, { timeout: 15_000 }).toBeGreaterThan(0);
  expect(sessions()).toBe(25_000);
  const [, steps] = /cmdstat_scan:calls=(\d+)/.exec(await admin.info('commandstats')) ?? [];
  expect(Number(steps)).toBeGreaterThanOrEqual(50);
});

test('a Redis user without SCAN costs the figure, and is said once', async () => {
  const server = await startRedisServer('of-the-operator');
  await server.client((admin) => admin.aclSetUser('app', ['on', '>secret', '~*', '&*', '+@all', '-scan']));
  const { service, lines } = await openCounter({ url: `redis://app:secret@127.0.0.1:${server.port}` });
  await service.start?.();
  await expect.poll(() => lines.join('')).toContain('allow +scan');
  expect(sampledAt()).toBe(0);
});
