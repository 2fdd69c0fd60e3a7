import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { singleRedisUrl } from '../../src/features/redis-urls/url.ts';
import { plainRedisUrl } from '../../src/redis/url.ts';
import { SettingProblem } from '../../src/settings/setting.ts';
import { connectUrl } from '../support/app.ts';
import { newDirectory } from '../support/process.ts';
import { startRedisServer } from '../support/redis-server.ts';

describe('every part of a URL is used', () => {
  test.each([
    ['redis://localhost', { host: 'localhost', port: 6379 }, {}, 0, false],
    ['redis://localhost/', { host: 'localhost', port: 6379 }, {}, 0, false],
    ['redis://[::1]:6380', { host: '::1', port: 6380 }, {}, 0, false],
    ['redis://:p%23%2F%3F%40%25:+&@redis/15', { host: 'redis', port: 6379 }, { password: 'p#/?@%:+&' }, 15, false],
    [
      'rediss://us%3Aer:p%40ss@redis.example.com:6380/2',
      { host: 'redis.example.com', port: 6380 },
      { username: 'us:er', password: 'p@ss' },
      2,
      true,
    ],
    ['unix:///run/redis.sock', { socketPath: '/run/redis.sock' }, {}, 0, undefined],
    [
      'unix://user:p%23ss@/run/my%20redis.sock?db=3',
      { socketPath: '/run/my redis.sock' },
      { username: 'user', password: 'p#ss' },
      3,
      undefined,
    ],
  ])('%s', (url, address, credentials, database, tls) => {
    expect(singleRedisUrl.read(url)).toEqual({ kind: 'single', address, credentials, database, tls });
  });
});

test('a URL that the core reads means the same', () => {
  const pieces = ['redis', 'rediss', 'unix', ':', '//', '/', '@', 'user', '%23', '%', '#', '?', ',', ' ', '[::1]', '7'];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 8 }), (rest) => {
      const url = `redis://${rest.join('')}`;
      const plain = plainRedisUrl.read(url);
      if (plain) expect(plain).toEqual(singleRedisUrl.read(url));
    }),
    { numRuns: 2000 },
  );
});

describe('what cannot be used is refused, with its fix', () => {
  test.each([
    ['redis://:pa#ss@redis', '%23'],
    ['redis://:pa#ss', '%23'],
    ['redis://:pa/ss@redis', '%2F'],
    ['redis://:pa?ss@redis', '%3F'],
    ['redis://:p@ss@redis', '%40'],
    ['redis://:100%@redis', '%25'],
    ['redis://:pass\n@redis', 'remove'],
    ['redis://redis:6379 ', 'remove'],
    ['redis://secret@redis', ':password@'],
    ['redis://user:@redis', ':password@'],
    ['redis://:@redis', ':password@'],
    ['redis://redis?db=5', 'localhost:6379/0'],
    ['rediss://redis?ssl_cert_reqs=none', 'takes none'],
    ['rediss://redis?ssl_cert_reqs=none', 'CA_FILE'], // feature: private-ca
    ['redis://redis/five', 'localhost:6379/0'],
    ['redis://redis/5/6', 'localhost:6379/0'],
    ['redis://redis/-1', 'localhost:6379/0'],
    ['redis://redis#5', 'remove'],
    ['redis://one,two', 'one'],
    ['redis://::1:6379', '[::1]'],
    ['redis://[::1', '[::1]'],
    ['redis://', 'host:port'],
    ['redis:///0', 'host:port'],
    ['redis://:6379', 'host:port'],
    ['redis://redis:0', 'host:port'],
    ['redis://redis:65536', 'host:port'],
    ['redis://re%64is', 'host:port'],
    ['redis:redis', 'host:port'],
    ['unix:/run/redis.sock', 'unix://:password@/run/redis.sock?db=0'],
    ['unix://run/redis.sock', 'unix://:password@/run/redis.sock?db=0'],
    ['unix://', 'unix://:password@/run/redis.sock?db=0'],
    ['unix:///run/redis.sock?password=hunter2', 'unix://:password@/run/redis.sock?db=0'],
    ['unix:///run/redis.sock?db=', 'unix://:password@/run/redis.sock?db=0'],
    ['unix:///run/redis.sock?db=1&db=2', 'remove one'],
    [`unix:///${'long'.repeat(27)}`, 'shorter'],
  ])('%s', (url, fix) => {
    expect(() => singleRedisUrl.read(url)).toThrow(SettingProblem);
    expect(() => singleRedisUrl.read(url)).toThrow(fix);
  });

  test.each(['redis+unix:///run/redis.sock', '/run/redis.sock', 'valkey://redis', 'REDIS://redis', '"redis://redis"'])(
    '%s',
    (REDIS_URL) => {
      expect(() => readConfig({ REDIS_URL })).toThrow(/^Latchkey can't start: \n {2}- REDIS_URL (takes|has) /);
    },
  );
});

test('a password with every special character, an IPv6 address and a database lead to Redis', async () => {
  const password = 'p#/?@%:+& =ü';
  const redis = await startRedisServer(encodeURIComponent(password), [
    '--requirepass',
    password,
    '--bind',
    '127.0.0.1',
    '::1',
  ]);
  const client = await connectUrl(`redis://:${encodeURIComponent(password)}@[::1]:${redis.port}/5`);
  await client.set('key', 'value');
  client.destroy();
  expect(await redis.client((admin) => admin.info('keyspace'))).toContain('db5:keys=1');
});

test.concurrent('a unix socket with a password and a database leads to Redis', async () => {
  const socketPath = `${newDirectory('unix-')}/my redis.sock`;
  const redis = await startRedisServer('of-the-operator', ['--unixsocket', socketPath]);
  const client = await connectUrl(`unix://:of-the-operator@${encodeURI(socketPath)}?db=2`);
  await client.set('key', 'value');
  client.destroy();
  expect(await redis.client((admin) => admin.info('keyspace'))).toContain('db2:keys=1');
  await expect(connectUrl(`unix://${encodeURI(socketPath)}`)).rejects.toMatchObject({
    cause: { message: expect.stringMatching(/^NOAUTH/) },
  });
});

test.concurrent('a database that does not exist is told at start', async () => {
  const { url } = await startRedisServer('of-the-operator');
  await expect(connectUrl(`${url}/99`)).rejects.toMatchObject({
    cause: { message: expect.stringMatching(/^ERR DB index is out of range/) },
  });
});
