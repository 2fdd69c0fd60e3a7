import type { StoredSession } from './record.ts';

/** How long a session may last (ASVS 7.1.1): without a request, and since sign-in. */
export type SessionLimits = {
  idleSeconds: number;
  absoluteSeconds: number;
  /** The pair for visitors who asked to be kept signed in. */
  rememberIdleSeconds: number;
  rememberAbsoluteSeconds: number;
  /** Sessions that signed in earlier have been ended, all at once; milliseconds since the epoch. */
  minSignedInAt?: () => number;
};

type Remember = Pick<StoredSession, 'remember'>;
type Lifetime = Remember & Pick<StoredSession, 'signedInAt' | 'lastSeenAt'>;

/** When a session ends, by its idle or its absolute limit (ASVS 7.3.1, 7.3.2). Milliseconds since the epoch. */
export function endOf(session: Lifetime, limits: SessionLimits): number {
  const idleEnd = session.lastSeenAt + Math.round(idleSecondsOf(session, limits) * 1000);
  return session.signedInAt < minSignedInAt(limits) ? 0 : Math.min(idleEnd, absoluteEndOf(session, limits));
}

/** When a session must have signed in at the earliest. Milliseconds since the epoch. */
export function minSignedInAt(limits: SessionLimits): number {
  return limits.minSignedInAt?.() ?? 0;
}

/** When a session ends at the latest, however much it is used. Milliseconds since the epoch. */
export function absoluteEndOf(session: Omit<Lifetime, 'lastSeenAt'>, limits: SessionLimits): number {
  const seconds = session.remember ? limits.rememberAbsoluteSeconds : limits.absoluteSeconds;
  return session.signedInAt + Math.round(seconds * 1000);
}

/** The idle limit that applies to a session. */
export function idleSecondsOf({ remember }: Remember, limits: SessionLimits): number {
  return remember ? limits.rememberIdleSeconds : limits.idleSeconds;
}

/**
 * How far `lastSeenAt` may lag behind, and therefore how exact the idle limit is: 5 % of it, but at least a minute, to
 * spare Redis, and at most ten. It is never more than half the limit, or a session in steady use would expire.
 */
export function touchGrainSeconds(session: Remember, limits: SessionLimits): number {
  const idleSeconds = idleSecondsOf(session, limits);
  return Math.min(Math.max(60, idleSeconds * 0.05), 600, idleSeconds / 2);
}
