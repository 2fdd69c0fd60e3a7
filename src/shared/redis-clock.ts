import type { RedisClient } from '../redis/client.ts';
import { deadlineMs, withTimeout } from '../redis/deadline.ts';
import type {} from './redis-client.ts';

/**
 * By how much this machine's clock is ahead of that of Redis, in milliseconds; exact to half of the time that the answer
 * takes.
 * @throws {RedisUnavailable}
 * @public for the features that compare them
 */
export async function measureSkew(redis: RedisClient): Promise<number> {
  const askedAt = Date.now();
  const [seconds, microseconds] = await withTimeout(deadlineMs, redis.time());
  const redisMs = Number(seconds) * 1000 + Number(microseconds) / 1000;
  return Math.round((askedAt + Date.now()) / 2 - redisMs);
}
