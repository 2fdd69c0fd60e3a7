import { describe, expect, test } from 'vitest';
import { singleRedisUrl } from '../../src/redis/url.ts';

describe('a REDIS_URL', () => {
  test.each(['redis://localhost', 'rediss://user:p%40ss@redis.example.com:6380/2'])('%s is one Redis', (url) => {
    expect(singleRedisUrl.read(url)).toEqual({ kind: 'single', address: { url } });
  });
});
