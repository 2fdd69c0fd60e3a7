import { createHash } from 'node:crypto';
import { now } from '../../clock.ts';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';
import { handleOf, tagIn } from '../../session/session-id.ts';
import { usedSeconds } from './challenges.ts';

/** Within this time, a second try is reported, and only once. */
const triesSeconds = 86_400;
/** Shorter than bound cookies live: a browser that has proved its key since has no reason to come without one. */
const provedSeconds = 540;

/**
 * Counts a try, and returns how many there were before and are now. One that may be the owner's own counts only once the
 * browser had time to prove its key and did not; then it counts for two, as it was not the first.
 */
const tryScript = `
local now, patience, seconds = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local provedAt = tonumber(redis.call('GET', KEYS[3]) or 0)
local isDoubtful = patience > 0 and now - provedAt >= ${provedSeconds * 1000}
if isDoubtful then
  local since = redis.call('GET', KEYS[2])
  if not since then redis.call('SET', KEYS[2], now, 'EX', seconds) end
  if not since or now - tonumber(since) < patience then return {0, 0} end
end
local tries = redis.call('INCRBY', KEYS[1], isDoubtful and 2 or 1)
if tries <= 2 then redis.call('EXPIRE', KEYS[1], seconds) end
return {tries - (isDoubtful and 2 or 1), tries}`;

/**
 * Counts a request that came without proof.
 * @param patienceMs for how long the owner's own browser may come like this; 0 if it never does
 * @returns whether it makes the second try: true once a day at most
 * @throws {RedisUnavailable}
 */
export async function isSecondTry(redis: RedisClient, sessionId: string, patienceMs: number): Promise<boolean> {
  const values = [now(), patienceMs, triesSeconds].map(String);
  const step = { keys: [triesKey(sessionId), doubtKey(sessionId), provedKey(sessionId)], arguments: values };
  const [before, tries] = (await withDeadline(deadlineMs, redis.eval(tryScript, step))) as [number, number];
  return before < 2 && tries >= 2;
}

function triesKey(sessionId: string): string {
  return `b:{${tagIn(sessionId)}}tries:${handleOf(sessionId)}`;
}

function provedKey(sessionId: string): string {
  return `b:{${tagIn(sessionId)}}proved:${handleOf(sessionId)}`;
}

/** Holds since when requests have come without proof that may be the owner's own. A proof deletes it. */
function doubtKey(sessionId: string): string {
  return `b:{${tagIn(sessionId)}}doubt:${handleOf(sessionId)}`;
}

/** Uses a challenge up, and ends all doubt about the session. Returns 0 if the challenge was used before. */
const useScript = `
if not redis.call('SET', KEYS[1], '', 'NX', 'EX', ARGV[1]) then return 0 end
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[3], ARGV[2], 'EX', ${provedSeconds})
return 1`;

/**
 * Uses up a challenge that was answered well.
 * @returns whether it was the first time: however many answers come at once, one of them gets a yes
 * @throws {RedisUnavailable}
 */
export async function useChallenge(redis: RedisClient, sessionId: string, challenge: string): Promise<boolean> {
  const name = createHash('sha256').update(challenge).digest('base64url').slice(0, 22);
  const keys = [`b:{${tagIn(sessionId)}}used:${name}`, doubtKey(sessionId), provedKey(sessionId)];
  const step = { keys, arguments: [usedSeconds, now()].map(String) };
  return (await withDeadline(deadlineMs, redis.eval(useScript, step))) === 1;
}
