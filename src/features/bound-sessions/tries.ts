import { createHash } from 'node:crypto';
import { now } from '../../clock.ts';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';
import { handleOf, tagIn } from '../../session/session-id.ts';
import { usedSeconds } from './challenges.ts';

/** Within this time, a second try is reported, and only once. */
export const triesSeconds = 86_400;
/** Shorter than bound cookies live: a browser that has proved its key since comes without one only if the answer was lost. */
export const provedSeconds = 540;

/** For how long an owner's browser may come without proof before that counts as a try: far longer than a proof takes. */
export const usualPatienceMs = 30_000;
/** The same, where the browser says that it skips proofs: as long as it may skip them. */
export const skippedPatienceMs = 600_000;

/**
 * Counts a try, and returns 1 if it makes the second one, otherwise 0. A request that the owner's own browser may have sent
 * counts only if one came without proof so long before that the browser would have proved its key since. Then it counts
 * for two, since it is at least the second.
 */
const tryScript = `
local now, patience = tonumber(ARGV[1]), tonumber(ARGV[2])
local provedAt = tonumber(redis.call('GET', KEYS[3]) or 0)
if now - provedAt < ${provedSeconds * 1000} then patience = math.min(patience, ${usualPatienceMs}) end
local weight = patience > 0 and 2 or 1
if patience > 0 then
  local since = redis.call('GET', KEYS[2])
  if not since then redis.call('SET', KEYS[2], now, 'EX', ${triesSeconds}) end
  if not since or now - tonumber(since) < patience then return 0 end
end
local tries = redis.call('INCRBY', KEYS[1], weight)
if tries <= 2 then redis.call('EXPIRE', KEYS[1], ${triesSeconds}) end
return tries - weight < 2 and tries >= 2 and 1 or 0`;

/**
 * Counts a request that came without proof.
 * @param patienceMs for how long the owner's own browser may come like this; 0 if it never does. After a proof, 30 s at most
 * @returns whether it makes the second try: true once a day at most, unless they are forgotten
 * @throws {RedisUnavailable}
 */
export async function isSecondTry(redis: RedisClient, sessionId: string, patienceMs: number): Promise<boolean> {
  const values = [now(), patienceMs].map(String);
  const step = { keys: [triesKey(sessionId), doubtKey(sessionId), provedKey(sessionId)], arguments: values };
  return (await withDeadline(deadlineMs, redis.eval(tryScript, step))) === 1;
}

/**
 * Counts from zero again, because the owner could not be told: the second try from now on is reported.
 * @throws {RedisUnavailable}
 */
export async function forgetTries(redis: RedisClient, sessionId: string): Promise<void> {
  await withDeadline(deadlineMs, redis.del(triesKey(sessionId)));
}

/** Holds how often the session has been used without its key, as far as that is counted. */
export function triesKey(sessionId: string): string {
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
if not redis.call('SET', KEYS[1], '', 'NX', 'EX', ${usedSeconds}) then return 0 end
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[3], ARGV[1], 'EX', ${provedSeconds})
return 1`;

/**
 * Uses up a challenge that was answered well.
 * @returns whether it was the first time: however many answers come at once, one of them gets a yes
 * @throws {RedisUnavailable}
 */
export async function useChallenge(redis: RedisClient, sessionId: string, challenge: string): Promise<boolean> {
  const name = createHash('sha256').update(challenge).digest('base64url').slice(0, 22);
  const keys = [`b:{${tagIn(sessionId)}}used:${name}`, doubtKey(sessionId), provedKey(sessionId)];
  const step = { keys, arguments: [String(now())] };
  return (await withDeadline(deadlineMs, redis.eval(useScript, step))) === 1;
}
