import type { ErrorRequestHandler, NextFunction, Request, RequestHandler, Response } from 'express';
import type { SessionRedis } from '../../session/commands.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import { type SessionsOptions, sessions as uncheckedSessions } from '../../session/middleware.ts';
import { discardChanges } from '../../session/sign-in.ts';
import { type SessionStoreOptions as CoreOptions, SessionStore as CoreStore } from '../../session/store.ts';
import { prefixedKey } from '../../shared/prefixed-key.ts';
import { addMaxAge } from '../cookie-max-age/cookie-max-age.ts';
import { checkSessionsOptions, checkStoreOptions } from './options.ts';

/** Without the others: 50 sessions per address, everybody allowed, nothing logged, and keys without a prefix. */
export type SessionStoreOptions = Pick<CoreOptions, 'redis' | 'limits' | 'https'> &
  Partial<CoreOptions> & {
    /** In front of each key, such as `shop:`, where several apps share one Redis. */
    prefix?: string;
  };

const noLog = { info() {}, warn() {} };

/** The store as an app of its own makes it: with defaults, and with its options checked. */
export class SessionStore extends CoreStore {
  readonly #noteOutage: CoreOptions['noteOutage'];

  /** @throws {TypeError} for options that are unknown, missing or wrong; the message lists them all */
  constructor(options: SessionStoreOptions) {
    checkStoreOptions(options);
    const { sessionsPerAddress = 50, isAllowed = () => true, log = noLog, noteOutage = () => {} } = options;
    const redis = options.prefix ? withPrefix(options.redis, options.prefix) : options.redis;
    super({ ...options, redis, sessionsPerAddress, isAllowed: yesOrNo(isAllowed), log, noteOutage });
    this.#noteOutage = noteOutage;
  }

  /** Where an app calls `req.session.destroy()` without a callback, a failure that nobody handles would end its process. */
  override destroy(...given: Parameters<CoreStore['destroy']>): Promise<boolean> {
    const destroyed = super.destroy(...given);
    if (!given[1]) destroyed.catch(this.#noteOutage);
    return destroyed;
  }
}

function withPrefix(redis: SessionRedis, prefix: string): SessionRedis {
  const prefixed = (key: string) => prefixedKey(prefix, key);
  return {
    get: (key) => redis.get(prefixed(key)),
    // The scripts derive further keys only by appending to those that they are given.
    eval: (script, options) => redis.eval(script, { ...options, keys: options.keys.map(prefixed) }),
  };
}

/** Without this, a promise would be a no that nothing explains, and it would end the sessions that there are. */
function yesOrNo(isAllowed: CoreOptions['isAllowed']): CoreOptions['isAllowed'] {
  return (email: EmailAddress) => {
    const answer: unknown = isAllowed(email);
    if (typeof answer === 'boolean') return answer;
    throw new TypeError(`isAllowed must return true or false at once; it returned ${describe(answer)}`);
  };
}

function describe(value: unknown): string {
  return value instanceof Promise ? 'a promise' : `a value of the type ${typeof value}`;
}

/**
 * The middleware that loads `req.session`.
 * @throws {TypeError} for options that are unknown, missing or wrong; the message lists them all
 */
export function sessions(options: SessionsOptions): [RequestHandler, RequestHandler] {
  checkSessionsOptions(options);
  const [load, keepCookieCurrent] = uncheckedSessions(options);
  // One step, since the first one alone loads a session: see "WebSockets" in docs/session-store.md.
  function loadSession(req: Request, res: Response, next: NextFunction): void {
    // As createHttpServer() does for Latchkey itself: express-session would skip `OPTIONS *`.
    if (req.url.startsWith('*')) req.originalUrl = `/${req.url}`;
    if ('cookie' in res) tellMovedListeners(res);
    addMaxAge(req, res, () => load(req, res, next));
  }
  return [loadSession, keepCookieCurrent];
}

/**
 * Lets a page that streams go on once its response is no longer held. Middleware that compresses moves the listeners for
 * `drain` to a stream of its own, which has nothing to drain meanwhile.
 */
function tellMovedListeners(res: Response): void {
  type Listener = (...args: unknown[]) => void;
  const { on } = res;
  const moved = new Set<Listener>();
  const isMoved = (listener: Listener) => !res.rawListeners('drain').includes(listener);
  res.on = ((event: string, listener: Listener) => {
    const result: unknown = Reflect.apply(on, res, [event, listener]);
    if (event === 'drain' && isMoved(listener)) moved.add(listener);
    return result;
  }) as Response['on'];
  // At no other time: the stream that compresses says by itself when it can take more.
  Reflect.apply(on, res, [
    'released',
    () => {
      for (const listener of [...moved].filter(isMoved)) Reflect.apply(listener, res, []);
    },
  ]);
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
