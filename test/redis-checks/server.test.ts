import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { destination } from 'pino';
import { describe, expect, test } from 'vitest';
import { openRedis } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { createLogger } from '../../src/log.ts';
import { afterwards } from '../support/afterwards.ts';
import { connectUrl, type RedisAddress, targetOf } from '../support/app.ts';
import { freePort } from '../support/process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { newLogFile } from '../support/secrets.ts';
import { testRedis } from '../support/test-redis.ts';

const password = 'of-the-operator';

/** What the log says about a Redis while the app connects to it. */
async function told(address: RedisAddress): Promise<string[]> {
  const logFile = newLogFile('redis-startup');
  const log = createLogger('debug', destination({ dest: logFile, sync: true }));
  const { client: redis } = await openRedis(targetOf(address), { config: readConfig({}), log });
  redis.destroy();
  const lines = readFileSync(logFile, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line)).map(({ level, msg }) => `${level} ${msg}`);
}

describe('at start, the log says', () => {
  test('nothing about the private Redis of development', async () => {
    expect(await told(await testRedis())).toEqual([]);
  });

  test('nothing about a Redis with its default settings, which include snapshots', async () => {
    expect(await told(await startRedisServer(password))).toEqual([]);
  });

  test('that restarting one without persistence would sign everybody out', async () => {
    expect(await told(await startRedisServer(password, ['--save', '']))).toEqual([
      '40 Redis keeps nothing on disk, so restarting it would sign everybody out: set appendonly yes',
    ]);
  });

  test.each(['allkeys-lru', 'volatile-ttl'])('that one with %s may evict sessions', async (policy) => {
    const args = ['--appendonly', 'yes', '--maxmemory', '100mb', '--maxmemory-policy', policy];
    expect(await told(await startRedisServer(password, args))).toEqual([
      `40 Redis may evict sessions when it is full (${policy}): set maxmemory-policy noeviction`,
    ]);
  });

  test('nothing about a hosted one that restricts CONFIG or INFO', async () => {
    const rented = await startRedisServer(password, ['--save', '', '--rename-command', 'CONFIG', '']);
    expect(await told(rented)).toEqual([]);
    await rented.client((client) => client.sendCommand(['ACL', 'SETUSER', 'default', '-info']));
    expect(await told(rented)).toEqual([]);
  });
});

test('a Redis that still loads its append-only file is not taken for one that keeps nothing on disk', async () => {
  // One key at a time, and between two of them Redis answers.
  const slowly = [
    '--key-load-delay',
    '100000',
    '--loading-process-events-interval-bytes',
    '1024',
    '--rdbcompression',
    'no',
  ];
  const redis = await startRedisServer(password, ['--appendonly', 'yes', '--save', '', ...slowly]);
  const info = () => redis.client((admin) => admin.info('persistence'));
  await redis.client(async (admin) => {
    await admin.eval("for key = 1, 600 do redis.call('SET', key, string.rep('x', 2000)) end");
    await admin.bgRewriteAof();
  });
  await expect.poll(info).toMatch(/aof_rewrite_in_progress:0[\s\S]*aof_last_bgrewrite_status:ok/);
  await redis.kill();
  const started = redis.start();
  await expect.poll(() => info().catch(() => '')).toMatch(/^loading:1/m);
  expect(await told(redis)).toEqual([
    '40 the permissions of the Redis user could not be checked',
    '40 Redis is still loading: its persistence and eviction could not be checked',
  ]);
  await redis.client((admin) => admin.configSet('key-load-delay', '0'));
  await started;
  expect(await told(redis)).toEqual([]);
});

test.each(['6.2.99', '5.0.14'])('Redis %s is refused, even where INFO is not allowed', async (version) => {
  const { port, client } = await startRedisServer(password);
  await client((admin) => admin.sendCommand(['ACL', 'SETUSER', 'default', '-info']));
  await expect(connectUrl(`redis://:${password}@127.0.0.1:${await withVersion(version, port)}`)).rejects.toMatchObject({
    problems: [`Redis is ${version}, which lacks commands that sign-in needs; run Redis 7.0 or newer, or Valkey`],
  });
});

describe('what REDIS_URL should not lead to is refused', () => {
  test('a node of a Cluster, which would serve only some visitors', async () => {
    const bus = ['--cluster-port', String(await freePort())];
    const { url } = await startRedisServer(password, ['--cluster-enabled', 'yes', ...bus]);
    await expect(connectUrl(url)).rejects.toMatchObject({
      problems: [expect.stringMatching(/^REDIS_URL names a node of a Cluster; (name|write) /)],
    });
    // feature: cluster
    await expect(connectUrl(url)).rejects.toMatchObject({ problems: [expect.stringContaining('redis+cluster://')] });
    // end: cluster
  });

  test.each([[['eval']], [['time']], [['time', 'zadd']]])('a Redis in which %j was renamed', async (names) => {
    const renamed = names.flatMap((name) => ['--rename-command', name, '']);
    const { url } = await startRedisServer(password, renamed);
    await expect(connectUrl(url)).rejects.toMatchObject({
      problems: [
        `Redis does not know ${names.join(', ')}, which Latchkey needs; remove the rename-command, or use another Redis`,
      ],
    });
  });
});

/** A link to a Redis that makes it look like this version. */
async function withVersion(version: string, port: number): Promise<number> {
  const link = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    near.on('error', () => far.destroy()).pipe(far);
    far.on('close', () => near.destroy());
    far.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      near.write(text.replace(/(\$7\r\nversion\r\n)\$\d+\r\n[\d.]+/, `$1$${version.length}\r\n${version}`), 'latin1');
    });
  });
  await new Promise<void>((done) => link.listen(0, '127.0.0.1', done));
  afterwards(() => link.close());
  return (link.address() as AddressInfo).port;
}
