import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';
import { evenWhenFull } from '../../shared/even-when-full.ts';
import type { Counter } from '../rate-limits/take-points.ts';

const giveBackScript = `${evenWhenFull}
for _, key in ipairs(KEYS) do
  local used = redis.pcall('GET', key)
  if type(used) == 'string' and string.match(used, '^[1-9]%d*$') then redis.call('DECRBY', key, ARGV[1]) end
end`;

/**
 * Gives a point back to each of these counters, for an event that shall not count after all.
 * @param points 0 gives nothing back, with the same commands
 * @throws {RedisUnavailable}
 */
export async function giveBackPoints(
  redis: RedisClient,
  counters: readonly Counter[],
  points: 0 | 1 = 1,
): Promise<void> {
  const keys = counters.map(({ key }) => key);
  await withDeadline(deadlineMs, redis.eval(giveBackScript, { keys, arguments: [String(points)] }));
}
