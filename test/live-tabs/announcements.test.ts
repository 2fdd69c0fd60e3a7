import { expect, onTestFinished, test } from 'vitest';
import { readConfig, redisPermissions } from '../../src/config.ts';
import { announcements } from '../../src/features/live-tabs/announcements.ts';
import { aclRule } from '../../src/features/redis-checks/permissions.ts';
import { createLogger } from '../../src/log.ts';
import { connectUrl } from '../support/app.ts';
import { password } from '../support/redis-nodes.ts';
import { startRedisServer } from '../support/redis-server.ts';

test('a Redis that no longer allows the channel is asked less and less often, and heard once it does', async () => {
  const server = await startRedisServer(password);
  const env = { REDIS_KEY_PREFIX: 'latchkey:' };
  const rules = ['reset', 'on', '>secret', ...aclRule(redisPermissions.single, 'latchkey:').split(' ')];
  const setUser = (...words: string[]) => server.client((admin) => admin.aclSetUser('latchkey', words));
  await setUser(...rules);
  const redis = await connectUrl(`redis://latchkey:secret@127.0.0.1:${server.port}`, undefined, env);
  onTestFinished(() => redis.destroy());
  await setUser('resetchannels');

  const lines: string[] = [];
  const log = createLogger('error', { write: (line) => void lines.push(line) });
  const ended: string[] = [];
  const listeners = { onEnded: (digest: string) => void ended.push(digest), onGap: () => {} };
  const ends = announcements({ redis, log, config: readConfig({ NODE_ENV: 'test', ...env }) }, listeners);
  onTestFinished(() => ends.stop());
  const startedAt = performance.now();
  await ends.start();
  const denials = async () => {
    const denied = await server.client((admin) => admin.aclLog());
    return denied.find(({ object }) => object === 'latchkey:ended')?.count ?? 0;
  };
  await expect.poll(denials, { timeout: 15_000 }).toBeGreaterThanOrEqual(4);
  // Four times a second, it would have taken less than one.
  expect(performance.now() - startedAt).toBeGreaterThan(2000);
  expect(lines).toEqual([expect.stringContaining('NOPERM')]);

  await setUser(...rules);
  const publish = () => server.client((admin) => admin.publish('latchkey:ended', 'a digest'));
  await expect.poll(publish, { timeout: 15_000 }).toBe(1);
  await expect.poll(() => ended).toContain('a digest');
});
