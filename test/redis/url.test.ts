import { expect, test } from 'vitest';
import { plainRedisUrl } from '../../src/redis/url.ts';

test.each([
  ['redis://localhost', { host: 'localhost', port: 6379 }, {}, 0, false],
  ['redis://[::1]:6380/', { host: '::1', port: 6380 }, {}, 0, false],
  ['redis://:p%23%25:+&@redis/15', { host: 'redis', port: 6379 }, { password: 'p#%:+&' }, 15, false],
  [
    'rediss://us%3Aer:p%40ss@redis:6380',
    { host: 'redis', port: 6380 },
    { username: 'us:er', password: 'p@ss' },
    0,
    true,
  ],
])('every part of %s is used', (url, address, credentials, database, tls) => {
  expect(plainRedisUrl.read(url)).toEqual({ kind: 'single', address, credentials, database, tls });
});

test('a unix socket is named by its path', () => {
  const address = { socketPath: '/run/redis.sock' };
  expect(plainRedisUrl.read('unix:///run/redis.sock')).toEqual({ kind: 'single', address });
});

test.each([
  'redis://:pa#ss@redis',
  'redis://:pa/ss@redis',
  'redis://:p@ss@redis',
  'redis://:100%@redis',
  'redis://:pass\n@redis',
  'redis://:pass\u200b@redis',
  'redis://redis:6379 ',
  'redis://secret@redis',
  'redis://user:@redis',
  'redis://redis?db=5',
  'redis://redis/five',
  'redis://redis#5',
  'redis://one,two',
  'redis://::1:6379',
  'redis://[::1::]',
  'redis://redis:65536',
  'redis://',
  'REDIS://redis',
  'redis+other://redis',
  'unix://run/redis.sock',
  'unix:///run/redis.sock?db=1',
  'unix:///run/my%20redis.sock',
  `unix:///${'long'.repeat(27)}`,
])('%j, of which a part would be lost, is refused', (url) => {
  expect(plainRedisUrl.read(url)).toBeUndefined();
});
