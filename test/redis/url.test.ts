import { describe, expect, test } from 'vitest';
import { readRedisUrl } from '../../src/redis/url.ts';

describe('a REDIS_URL', () => {
  test.each(['redis://localhost', 'rediss://user:p%40ss@redis.example.com:6380/2'])('%s is one Redis', (url) => {
    expect(readRedisUrl(url)).toEqual({ kind: 'one', url });
  });

  test('of Sentinels names them, the primary they watch, and who may ask which of both', () => {
    const url =
      'rediss+sentinel://ann:p%40ss%3A%2F@one.example.com,10.0.0.2:26380,[::1]:26381/main.primary-1/2?sentinel_username=bob&sentinel_password=%26%3D';
    expect(readRedisUrl(url)).toEqual({
      kind: 'sentinel',
      sentinels: [
        { host: 'one.example.com', port: 26_379 },
        { host: '10.0.0.2', port: 26_380 },
        { host: '::1', port: 26_381 },
      ],
      sentinelCredentials: { username: 'bob', password: '&=' },
      primaryName: 'main.primary-1',
      database: 2,
      credentials: { username: 'ann', password: 'p@ss:/' },
      tls: true,
    });
  });

  test('of Sentinels without passwords has none to send', () => {
    expect(readRedisUrl('redis+sentinel://localhost/mymaster')).toEqual({
      kind: 'sentinel',
      sentinels: [{ host: 'localhost', port: 26_379 }],
      sentinelCredentials: {},
      primaryName: 'mymaster',
      database: 0,
      credentials: {},
      tls: false,
    });
  });

  test('of a Cluster names some of its nodes', () => {
    expect(readRedisUrl('redis+cluster://:secret@one.example.com:7000,two.example.com')).toEqual({
      kind: 'cluster',
      nodes: [
        { host: 'one.example.com', port: 7000 },
        { host: 'two.example.com', port: 6379 },
      ],
      credentials: { password: 'secret' },
      tls: false,
    });
  });
});
