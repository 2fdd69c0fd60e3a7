import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, isRefusal, withDeadline } from '../../redis/deadline.ts';

/**
 * The text at a key; undefined if there is none, or something of another type.
 * @throws {RedisUnavailable}
 */
export async function readStoredText(redis: RedisClient, key: string): Promise<string | undefined> {
  try {
    return (await withDeadline(deadlineMs, redis.get(key))) ?? undefined;
  } catch (error) {
    if (isRefusal(error, /^WRONGTYPE /)) return undefined;
    throw error;
  }
}
