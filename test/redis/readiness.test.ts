import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { ask } from '../support/client.ts';
import { password } from '../support/redis-password.ts';
import { type RedisServer, startRedisServer } from '../support/redis-server.ts';

const redis = await startRedisServer(password, ['--save', '3600 1000']);
const app = await startApp({ redisAddress: { url: redis.url } });
const readiness = async () => (await ask(app.url, 'get', '/readyz')).text;
const patience = { timeout: 15_000, interval: 50 };
const configure = (name: string, value: string) => redis.client((admin) => admin.configSet(name, value));

test('/readyz tries a write, and changes nothing', async () => {
  for (let count = 0; count < 20; count += 1) expect(await readiness()).toBe('ok\n');
  const [size, info] = await redis.client(async (admin) => [await admin.dbSize(), await admin.info('all')] as const);
  expect(size).toBe(0);
  expect(info).toMatch(/cmdstat_set:calls=20,/);
  expect(info).toContain('rdb_changes_since_last_save:0');
});

type Reason = { word: string; begin: (redis: RedisServer) => Promise<unknown>; end: () => Promise<unknown> };

const reasons: Reason[] = [
  { word: 'OOM', begin: () => configure('maxmemory', '1'), end: () => configure('maxmemory', '0') },
  {
    word: 'NOREPLICAS',
    begin: () => configure('min-replicas-to-write', '1'),
    end: () => configure('min-replicas-to-write', '0'),
  },
  {
    word: 'NOPERM',
    begin: () => redis.client((admin) => admin.sendCommand(['ACL', 'SETUSER', 'default', '-set'])),
    end: () => redis.client((admin) => admin.sendCommand(['ACL', 'SETUSER', 'default', '+set'])),
  },
  {
    word: 'READONLY',
    begin: () => redis.client((admin) => admin.sendCommand(['REPLICAOF', '127.0.0.1', '1'])),
    end: () => redis.client((admin) => admin.sendCommand(['REPLICAOF', 'NO', 'ONE'])),
  },
  {
    word: 'MISCONF',
    begin: async () => {
      const { dir = '' } = await redis.client((admin) => admin.configGet('dir'));
      rmSync(dir, { recursive: true });
      await redis.client((admin) => admin.bgSave());
    },
    end: () => configure('save', ''),
  },
];

test.each(reasons)('/readyz says no, and why, while Redis refuses writes with $word', async ({ word, begin, end }) => {
  await begin(redis);
  await expect.poll(readiness, patience).toBe(`Redis refuses writes: ${word}\n`);
  await end();
  await expect.poll(readiness, patience).toBe('ok\n');
});
