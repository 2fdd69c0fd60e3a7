import { expect } from 'vitest';
import type { RedisClient } from '../../src/redis/client.ts';
import { measureSkew } from '../../src/shared/redis-clock.ts';

/** What the checks ask of Redis while Latchkey runs. */
export async function useRedis(redis: RedisClient): Promise<void> {
  expect(Math.abs(await measureSkew(redis))).toBeLessThan(60_000);
}
