import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Request } from 'express';
import { deadlineMs, type RedisClient, withDeadline } from '../redis/connect.ts';
import { SessionStore } from './store.ts';

/** Within this time, a sign-in form that is sent again ends in the session that it has begun. */
export const repeatSeconds = 30;
/** How long the first copy of a form may take to store its session. */
export const storedWithinMs = 1500;
const pollMs = 25;

/**
 * Claims a form for the session that it begins.
 * @param seed what copies of the form have in common
 * @returns undefined, or the id of the session that another copy has begun
 * @throws {RedisUnavailable}
 */
export async function claimForm(redis: RedisClient, seed: string, sessionId: string): Promise<string | undefined> {
  const key = `f:${createHash('sha256').update(seed).digest('base64url').slice(0, 22)}`;
  const expiration = { type: 'EX', value: repeatSeconds } as const;
  const earlier = await withDeadline(deadlineMs, redis.set(key, sessionId, { condition: 'NX', GET: true, expiration }));
  return earlier ?? undefined;
}

/**
 * Continues the session that another copy of the same form has begun, and sends its cookie. Waits for it, since that copy
 * may still be storing it; a session that has ended stays ended.
 * @param withinMs how long it may take to appear
 * @returns whether there is such a session
 * @throws {RedisUnavailable}
 */
export async function resumeSession(req: Request, sessionId: string, withinMs: number): Promise<boolean> {
  const { sessionStore } = req;
  if (!(sessionStore instanceof SessionStore)) return false;
  const startedAt = performance.now();
  for (;;) {
    const session = await sessionStore.get(sessionId);
    if (session) {
      req.sessionID = sessionId;
      sessionStore.createSession(req, session);
      return true;
    }
    if (performance.now() - startedAt >= withinMs) return false;
    await sleep(pollMs);
  }
}
