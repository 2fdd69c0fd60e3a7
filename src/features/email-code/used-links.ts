import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';
import { evenWhenFull } from '../../shared/even-when-full.ts';
import { repeatSeconds } from '../repeated-forms/repeated-forms.ts';

// Of two presses at the same moment, the one that did something says what it did to those that follow.
const useScript = `${evenWhenFull}
local earlier = redis.call('GET', KEYS[1])
if not earlier then return false end
if not string.find(earlier, ARGV[2]) then redis.call('SET', KEYS[1], ARGV[1], 'EX', ${repeatSeconds}) end
return earlier`;

/**
 * Uses up the link of a mail: for a moment its record still says what that has done, to answer a second press or a reload.
 * @param record what the link stood for, and what this use has done
 * @param done a Lua pattern for records of a use that has done something, which stay as they are
 * @returns the record before; null if there was none
 * @throws {RedisUnavailable}
 */
export async function useUp(redis: RedisClient, key: string, record: string, done: string): Promise<string | null> {
  const call = redis.eval(useScript, { keys: [key], arguments: [record, done] });
  return (await withDeadline(deadlineMs, call)) as string | null;
}
