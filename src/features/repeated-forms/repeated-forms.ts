import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Request } from 'express';
import type { Core } from '../../core.ts';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';
import { answerDone, refuseAddress, type SignInStep } from '../../routes/login.ts';
import { handleOf, newSessionId, tagIn, tagOf } from '../../session/session-id.ts';
import { auditRefused, signIn } from '../../session/sign-in.ts';
import { SessionStore } from '../../session/store.ts';
import type { PersonalKeys } from '../../shared/operations.ts';
import { announceOutcomes } from '../../shared/sign-in-outcomes.ts';
import { formSeed } from './form-id.ts';

/** Within this time, a sign-in form that is sent again ends in the session that it has begun. */
export const repeatSeconds = 30;
/** How long the first copy of a form may take to store its session. */
export const storedWithinMs = 1500;
const pollMs = 25;

/** A form that was sent names the session that it has begun. */
export const repeatedFormKeys: PersonalKeys = {
  kind: 'sent forms',
  prefix: 'f:',
  describe: (_name, value, { tag }) =>
    typeof value === 'string' && tagIn(value) === tag ? { session: handleOf(value) } : undefined,
};

/** Signs in, but only once for all copies of a form, whichever processes they reach. One without a name goes on. */
export function signInOnce({ redis, log }: Pick<Core, 'redis' | 'log'>): SignInStep {
  announceOutcomes('form sent before');
  return async function signInOnce(req, res, form, email) {
    const seed = formSeed(req);
    if (seed === undefined) return true;
    const sessionId = newSessionId(tagOf(email));
    const begun = await claimForm(redis, seed + email, sessionId);
    if (begun === undefined) await signIn(req, email, { remember: form.remember, sessionId });
    else if (!(await resumeSession(req, begun, storedWithinMs))) {
      // The session that the form began has ended.
      auditRefused(log, req, 'form sent before', email);
      refuseAddress(req, res, form, 'This form was sent before. Please log in again.');
      return false;
    }
    answerDone(req, res, form.next);
    return false;
  };
}

/** Claims a form for the session that it begins; returns the id of the one that another copy has begun, if any. */
async function claimForm(redis: RedisClient, seed: string, sessionId: string): Promise<string | undefined> {
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
