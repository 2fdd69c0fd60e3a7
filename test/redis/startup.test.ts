import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { destination } from 'pino';
import { describe, expect, test } from 'vitest';
import { openRedis } from '../../src/app.ts';
import { createLogger } from '../../src/log.ts';
import { connectRedis } from '../../src/redis/connect.ts';
import { afterwards } from '../support/afterwards.ts';
import { connectUrl, type RedisAddress, testRedis } from '../support/app.ts';
import { freePort } from '../support/process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { newLogFile } from '../support/secrets.ts';

const password = 'of-the-operator';

/** What the log says of a Redis while it is being connected to. */
async function told(address: RedisAddress): Promise<string[]> {
  const logFile = newLogFile('redis-startup');
  const log = createLogger('debug', destination({ dest: logFile, sync: true }));
  const redis = await connectRedis(openRedis({ kind: 'single', address }, log), log);
  redis.destroy();
  const lines = readFileSync(logFile, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line)).map(({ level, msg }) => `${level} ${msg}`);
}

describe('at the start the log says', () => {
  test('nothing of the private Redis of development', async () => {
    expect(await told(await testRedis())).toEqual([]);
  });

  test('nothing of a Redis as it comes, with snapshots', async () => {
    expect(await told(await startRedisServer(password))).toEqual([]);
  });

  test('that one without persistence would sign everybody out', async () => {
    expect(await told(await startRedisServer(password, ['--save', '']))).toEqual([
      '40 Redis keeps nothing on disk, and its restart would sign everybody out: set appendonly yes',
    ]);
  });

  test.each(['allkeys-lru', 'volatile-ttl'])('that one with %s may evict sessions', async (policy) => {
    const args = ['--appendonly', 'yes', '--maxmemory', '100mb', '--maxmemory-policy', policy];
    expect(await told(await startRedisServer(password, args))).toEqual([
      `40 Redis may evict sessions when it is full (${policy}): set maxmemory-policy noeviction`,
    ]);
  });

  test('that one is too old', async () => {
    const { port } = await startRedisServer(password);
    expect(await told({ url: `redis://:${password}@127.0.0.1:${await withVersion('6.2.99', port)}` })).toEqual([
      '40 Redis is 6.2.99, which lacks commands that sign-in needs: run Redis 7.0 or newer, or Valkey',
    ]);
  });

  test('nothing of one that does not let itself be asked, as some that are rented', async () => {
    const rented = await startRedisServer(password, ['--save', '', '--rename-command', 'CONFIG', '']);
    expect(await told(rented)).toEqual([]);
    await rented.client((client) => client.sendCommand(['ACL', 'SETUSER', 'default', '-info']));
    expect(await told(rented)).toEqual([]);
  });
});

/** A link to a Redis through which it looks as if it were of this version, which is as long as its own. */
async function withVersion(version: string, port: number): Promise<number> {
  const link = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    near.on('error', () => far.destroy()).pipe(far);
    far.on('close', () => near.destroy());
    far.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      near.write(
        text.replace(/(?<=redis_version:)[\d.]+/, (own) => version.padEnd(own.length).slice(0, own.length)),
        'latin1',
      );
    });
  });
  await new Promise<void>((done) => link.listen(0, '127.0.0.1', done));
  afterwards(() => link.close());
  return (link.address() as AddressInfo).port;
}

describe('a Redis that is not there is told within 3 s, and why', () => {
  const ways = {
    'redis://127.0.0.1:PORT': /ECONNREFUSED/,
    'redis+sentinel://127.0.0.1:PORT/mymaster': /ECONNREFUSED/,
    'redis+cluster://127.0.0.1:PORT': /ECONNREFUSED/,
  };
  test.concurrent.each(Object.entries(ways))('%s', async (url, reason) => {
    const startedAt = performance.now();
    const attempt = connectUrl(url.replace('PORT', String(await freePort())));
    await expect(attempt).rejects.toMatchObject({
      message: 'Redis could not be reached within 2 s',
      cause: { message: expect.stringMatching(reason) },
    });
    expect(performance.now() - startedAt).toBeLessThan(3000);
  });

  test('and so is one that is no Cluster', async () => {
    const redis = await startRedisServer(password);
    const cluster = connectUrl(`redis+cluster://:${password}@127.0.0.1:${redis.port}`);
    await expect(cluster).rejects.toMatchObject({
      cause: { message: expect.stringContaining('cluster support disabled') },
    });
  });
});
