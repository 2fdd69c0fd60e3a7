import { expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { ask } from '../support/client.ts';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';

const patience = { timeout: 15_000, interval: 50 };
const settings: Record<string, string>[] = [
  {},
  { REDIS_KEY_PREFIX: 'latchkey:' }, // feature: redis-key-prefix
];

test.each(settings)(
  'after a restart that lost the ACL, /readyz and the log say why Redis is not back (%j)',
  async (env) => {
    const redis = await startRedisServer(password);
    const allow = () => redis.client((admin) => admin.aclSetUser('latchkey', ['on', '>secret', '~*', '&*', '+@all']));
    await allow();
    const url = `redis://latchkey:secret@127.0.0.1:${redis.port}`;
    const app = await startApp({ redisAddress: { url }, env });
    const readiness = async () => (await ask(app.url, 'get', '/readyz')).text;
    const alarms = () =>
      app.logged().filter(({ level, msg }) => Number(level) > 40 && String(msg).startsWith('Redis '));
    for (const outage of [1, 2]) {
      await redis.kill();
      await expect.poll(readiness, patience).toBe('Redis does not answer\n');
      await redis.start();
      await expect.poll(readiness, patience).toBe('no connection to Redis: WRONGPASS\n');
      await allow();
      await expect.poll(readiness, patience).toBe('ok\n');
      expect(alarms().map(({ msg, reason }) => [msg, reason])).toEqual(
        Array.from({ length: outage }, () => [
          ['Redis lost', undefined],
          ["Redis can't be reached again", 'WRONGPASS'],
        ]).flat(),
      );
      expect(alarms().at(-1)).toMatchObject({ err: { message: expect.stringMatching(/password in REDIS_URL/) } });
    }
  },
);
