import { expect, onTestFinished, test } from 'vitest';
import { redisPermissions } from '../../src/config.ts';
import { announcements } from '../../src/features/live-tabs/announcements.ts';
import { aclRule } from '../../src/features/redis-checks/permissions.ts';
import { createLogger } from '../../src/log.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { RedisUnavailable } from '../../src/redis/deadline.ts';
import { keyPrefix, keyPrefixEnv } from '../redis-checks/key-prefix.ts';
import { connectUrl } from '../support/app.ts';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';

test('a Redis that no longer allows the channel is asked less and less often, and heard once it does', async () => {
  const server = await startRedisServer(password);
  const rules = ['reset', 'on', '>secret', ...aclRule(redisPermissions.single, keyPrefix).split(' ')];
  const setUser = (...words: string[]) => server.client((admin) => admin.aclSetUser('latchkey', words));
  await setUser(...rules);
  const redis = await connectUrl(`redis://latchkey:secret@127.0.0.1:${server.port}`, undefined, keyPrefixEnv);
  onTestFinished(() => redis.destroy());
  await setUser('resetchannels');

  const lines: string[] = [];
  const log = createLogger('error', { write: (line) => void lines.push(line) });
  const ended: string[] = [];
  const listeners = { onEnded: (digest: string) => void ended.push(digest), onGap: () => {} };
  const ends = announcements({ redis, log }, listeners);
  onTestFinished(() => ends.stop());
  const startedAt = performance.now();
  await ends.start();
  const denials = async () => {
    const denied = await server.client((admin) => admin.aclLog());
    return denied.find(({ object }) => object === `${keyPrefix}ended`)?.count ?? 0;
  };
  await expect.poll(denials, { timeout: 15_000 }).toBeGreaterThanOrEqual(4);
  // Four times a second, it would have taken less than one.
  expect(performance.now() - startedAt).toBeGreaterThan(2000);
  expect(lines).toEqual([expect.stringContaining('NOPERM')]);

  await setUser(...rules);
  const publish = () => server.client((admin) => admin.publish(`${keyPrefix}ended`, 'a digest'));
  await expect.poll(publish, { timeout: 15_000 }).toBe(1);
  await expect.poll(() => ended).toContain('a digest');
});

test('in a Cluster, a subscription that was lost is made again, however often that fails, before sessions are asked about', async () => {
  const steps: string[] = [];
  let isDown = false;
  let becomeReady = () => {};
  const sharded: RedisClient['sharded'] = {
    subscribe: async (channel) => {
      steps.push(channel);
      if (isDown) throw new Error('CLUSTERDOWN');
    },
    unsubscribe: async () => {},
  };
  const redis = await connectUrl((await startRedisServer(password)).url);
  onTestFinished(() => redis.destroy());
  const cluster: RedisClient = {
    ...redis,
    sharded,
    on: (_event, listener) => {
      becomeReady = listener;
    },
  };
  const listeners = { onEnded: () => {}, onGap: () => void steps.push('asked') };
  const core = { redis: cluster, log: createLogger('silent') };
  const ends = announcements(core, listeners);
  await ends.start();
  const [left, followed] = ['left', 'followed'].map((tag) => `${tag.padEnd(14, '_')}${'a'.repeat(32)}`);
  const leave = await ends.follow(left ?? '');
  await ends.follow(followed ?? '');
  leave();
  const channel = steps[1];
  expect(steps).toHaveLength(2);
  isDown = true;
  becomeReady();
  await expect.poll(() => steps.slice(2, 4)).toEqual([channel, 'asked']);
  // Nothing would tell these of an end.
  await expect(ends.follow(followed ?? '')).rejects.toThrow(RedisUnavailable);
  await expect(ends.follow(followed ?? '')).rejects.toThrow(RedisUnavailable);
  await expect.poll(() => steps.slice(4)).toContain(channel);
  isDown = false;
  const count = steps.length;
  await expect.poll(() => steps.slice(count), { timeout: 3000 }).toEqual([channel, 'asked']);
  await ends.follow(followed ?? '');
});
