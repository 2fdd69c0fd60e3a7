import type { ErrorRequestHandler, RequestHandler } from 'express';
import type { SessionLimits } from '../../session/lifetime.ts';
import { type SessionsOptions, sessions as uncheckedSessions } from '../../session/middleware.ts';
import { discardChanges } from '../../session/sign-in.ts';
import { type SessionStoreOptions as CoreOptions, SessionStore as CoreStore } from '../../session/store.ts';

/** Without the others: 50 sessions per address, everybody allowed, and nothing logged. */
export type SessionStoreOptions = Pick<CoreOptions, 'redis' | 'limits' | 'https'> & Partial<CoreOptions>;

const defaults = {
  sessionsPerAddress: 50,
  isAllowed: () => true,
  log: { info() {}, warn() {} },
  noteOutage() {},
};

/** The store as an app of its own makes it: with defaults, and with its limits checked. */
export class SessionStore extends CoreStore {
  /** @throws {RangeError} for limits under which a session would never end */
  constructor(options: SessionStoreOptions) {
    checkLimits(options.limits);
    super({ ...defaults, ...options });
  }
}

/**
 * The middleware that loads `req.session`.
 * @throws {Error} for secrets that could be guessed
 */
export function sessions(options: SessionsOptions): RequestHandler[] {
  const { secrets } = options;
  if (secrets.length === 0 || secrets.some((secret) => !(secret?.length >= 32))) {
    throw new Error('sessions need secrets of at least 32 characters; make one with: openssl rand -hex 32');
  }
  return uncheckedSessions(options);
}

function checkLimits(limits: SessionLimits): void {
  const { idleSeconds, absoluteSeconds, rememberIdleSeconds, rememberAbsoluteSeconds } = limits;
  const isInOrder = (idle: number, absolute: number) => idle > 0 && idle <= absolute && absolute < Infinity;
  if (!isInOrder(idleSeconds, absoluteSeconds) || !isInOrder(rememberIdleSeconds, rememberAbsoluteSeconds)) {
    throw new RangeError('session limits are seconds, and an idle limit is at most as long as its absolute one');
  }
}

/**
 * Discards what a failed request changed in its session; it goes before the app's own error handlers. A response with a
 * 5xx status stores nothing in any case. This one also knows of errors that are answered with another status, and what
 * an error handler itself changes is stored.
 */
export const discardChangesOnError: ErrorRequestHandler = function discardChangesOnError(error, req, _res, next) {
  discardChanges(req);
  next(error);
};
