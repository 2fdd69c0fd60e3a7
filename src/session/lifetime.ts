/** How long a session may last (ASVS 7.1.1): without a request, and since sign-in. */
export type SessionLimits = {
  idleSeconds: number;
  absoluteSeconds: number;
  /** The pair for visitors who asked to be kept signed in. */
  rememberIdleSeconds: number;
  rememberAbsoluteSeconds: number;
};

/**
 * Rejects limits under which a session would never end.
 * @throws {RangeError}
 */
export function checkLimits(limits: SessionLimits): void {
  const { idleSeconds, absoluteSeconds, rememberIdleSeconds, rememberAbsoluteSeconds } = limits;
  const isInOrder = (idle: number, absolute: number) => idle > 0 && idle <= absolute && absolute < Infinity;
  if (!isInOrder(idleSeconds, absoluteSeconds) || !isInOrder(rememberIdleSeconds, rememberAbsoluteSeconds)) {
    throw new RangeError('session limits are seconds, and an idle limit is at most as long as its absolute one');
  }
}

/** What a session's end depends on; times are milliseconds since the epoch. */
export type Lifetime = { signedInAt: number; lastSeenAt: number; remember: boolean };

/**
 * When a session ends: the earlier of its idle and its absolute limit (ASVS 7.3.1, 7.3.2).
 * Milliseconds since the epoch.
 */
export function endOf(session: Lifetime, limits: SessionLimits): number {
  return Math.min(idleEndOf(session, limits), absoluteEndOf(session, limits));
}

/** When a session ends at the latest, however much it is used. Milliseconds since the epoch. */
export function absoluteEndOf(session: Omit<Lifetime, 'lastSeenAt'>, limits: SessionLimits): number {
  const seconds = session.remember ? limits.rememberAbsoluteSeconds : limits.absoluteSeconds;
  return session.signedInAt + seconds * 1000;
}

function idleEndOf(session: Lifetime, limits: SessionLimits): number {
  return session.lastSeenAt + idleSecondsOf(session, limits) * 1000;
}

/** The idle limit that applies to this session. */
export function idleSecondsOf(session: Pick<Lifetime, 'remember'>, limits: SessionLimits): number {
  return session.remember ? limits.rememberIdleSeconds : limits.idleSeconds;
}

/** Whether it is time to record that the session is in use. */
export function isTouchDue(session: Lifetime, limits: SessionLimits, now: number): boolean {
  return now - session.lastSeenAt >= touchGrainSeconds(session, limits) * 1000;
}

/**
 * How far `lastSeenAt` may lag behind, and therefore how exact the idle limit is: 5 % of it, but at least a minute, to
 * spare Redis, and at most ten, so that "last seen" stays meaningful. Below an idle limit of two minutes it is half of
 * that limit; otherwise a session in steady use would expire.
 */
export function touchGrainSeconds(session: Pick<Lifetime, 'remember'>, limits: SessionLimits): number {
  const idleSeconds = idleSecondsOf(session, limits);
  return Math.min(Math.max(60, idleSeconds * 0.05), 600, idleSeconds / 2);
}
