import { expect, test } from 'vitest';
import { createLogger } from '../../src/log.ts';
import { connected, openSingle } from '../../src/redis/connect.ts';
import { targetOf } from '../support/app.ts';
import { freePort } from '../support/process.ts';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';

const lines: { msg: string }[] = [];
const log = createLogger('info', { write: (line) => lines.push(JSON.parse(line)) });
const open = (url: string) => openSingle(targetOf({ url }), { log });
const patience = { timeout: 10_000, interval: 20 };

test('a lost connection comes back by itself, is logged once, and carries nothing out late', async () => {
  const server = await startRedisServer(password, ['--appendonly', 'yes', '--appendfsync', 'always']);
  const opened = open(server.url);
  await connected(opened);
  const { client: redis } = opened;
  await redis.set('key', 'before');
  expect(lines).toEqual([]);

  await server.kill();
  const startedAt = performance.now();
  await expect(redis.set('key', 'meanwhile')).rejects.toThrow();
  expect(performance.now() - startedAt).toBeLessThan(1000);
  await expect.poll(() => lines.map(({ msg }) => msg), patience).toEqual(['Redis lost']);
  await server.start();
  await expect.poll(() => redis.get('key').catch(String), patience).toBe('before');
  expect(lines.map(({ msg }) => msg)).toEqual(['Redis lost', 'Redis back']);
  redis.destroy();
});

test('a Redis that is not there, or refuses the password, stops the start with the reason', async () => {
  await expect(connected(open(`redis://127.0.0.1:${await freePort()}`))).rejects.toMatchObject({
    message: 'Redis could not be reached within 2 s',
    cause: { code: 'ECONNREFUSED' },
  });
  const { port } = await startRedisServer(password);
  await expect(connected(open(`redis://:wrong@127.0.0.1:${port}`))).rejects.toMatchObject({
    message: 'Redis refused',
    cause: { message: expect.stringContaining('WRONGPASS') },
  });
});
