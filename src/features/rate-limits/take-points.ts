import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';

/** So many events in a window. Windows start with their first event, so those of two adjacent windows can add up. */
export type Limit = { points: number; seconds: number };

/** A limit and the Redis key that counts for it. */
export type Counter = Limit & { key: string };

/**
 * The Lua function `take(counters, decoy)`, for scripts that decide more than a limit. Each counter is
 * `{key, points, seconds, cost}`. Takes the cost from every counter or, when one of them can't afford it, from none;
 * a cost of 0 only asks whether a point is left. Returns which counter refused (0: none did) and for how many
 * milliseconds. Redis's own clock counts.
 *
 * With a decoy, which is the key of a counter for nothing, a refusal runs the same commands as an acceptance.
 */
export const takeFunction = `
local function take(counters, decoy, isRefused)
  local refusedBy, waitMs = 0, 0
  for position, counter in ipairs(counters) do
    local key, points, seconds, cost = unpack(counter)
    local used = redis.pcall('GET', key)
    if type(used) == 'table' or (used and not string.match(used, '^%d+$')) then
      redis.call('DEL', key)
      used = false
    end
    local left = redis.call('PTTL', key)
    if left == -1 then redis.call('EXPIRE', key, seconds) left = seconds * 1000 end
    if tonumber(used or 0) + math.max(cost, 1) > points then
      if refusedBy == 0 then refusedBy = position end
      waitMs = math.max(waitMs, left)
    end
  end
  isRefused = isRefused or refusedBy > 0
  if isRefused and not decoy then return refusedBy, waitMs end
  for _, counter in ipairs(counters) do
    local key, _, seconds, cost = unpack(counter)
    if cost > 0 then
      redis.call('INCRBY', isRefused and decoy or key, cost)
      redis.call('EXPIRE', isRefused and decoy or key, isRefused and 1 or seconds, 'NX')
    end
  end
  return refusedBy, waitMs
end
`;

const takeScript = `${takeFunction}
local counters = {}
for position = 1, #ARGV / 2 do
  counters[position] = {KEYS[position], tonumber(ARGV[2 * position - 1]), tonumber(ARGV[2 * position]), 1}
end
local _, waitMs = take(counters, KEYS[#counters + 1])
return waitMs`;

/**
 * Takes a point from each of these counters, or from none when one of them is used up.
 * @param counters in a Cluster their keys must share a hash tag
 * @param options.decoy a key that counts for nothing, so that a refusal takes the same commands
 * @returns milliseconds until it is worth trying again; 0 when the points were taken
 * @throws {RedisUnavailable}
 */
export async function takePoints(
  redis: RedisClient,
  counters: readonly Counter[],
  options: { decoy?: string } = {},
): Promise<number> {
  const keys = [...counters.map(({ key }) => key), ...(options.decoy === undefined ? [] : [options.decoy])];
  const limits = counters.flatMap(({ points, seconds }) => [String(points), String(seconds)]);
  return Number(await withDeadline(deadlineMs, redis.eval(takeScript, { keys, arguments: limits })));
}
