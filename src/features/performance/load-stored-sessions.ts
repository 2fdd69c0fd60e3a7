import type { Request, RequestHandler, Response } from 'express';
import type { Core } from '../../core.ts';
import { cookieName, renewCookie } from '../../session/cookie.ts';
import type { SessionStore } from '../../session/store.ts';
import { copyOf } from '../../shared/copy-of.ts';
import { readSessionId } from '../../shared/read-session-id.ts';
import { preloadList } from './preload-lists.ts';
import { RecentCache } from './recent-cache.ts';

/** Enough for the visitors of a busy process. Two generations of this many take 2.2 MB. */
const maxCookies = 5000;

/**
 * Loads the session of a visitor who sends a genuine cookie, or begins one for a visitor who sends none, without the
 * middleware of express-session, which hashes each session to see later whether it has changed, and wraps the response.
 * The store knows what has changed anyway. Every other cookie is left to express-session. Unlike there, a change sends no
 * new cookie to a remembered visitor: one that lasts is renewed whenever its idle limit moves.
 * @param listPath the page whose list of sessions is asked for together with the session
 * @returns what takes the middleware of express-session and stands in its place
 */
export function loadStoredSessions(
  core: Pick<Core, 'store' | 'secrets'>,
  listPath: string,
): (expressSession: RequestHandler) => RequestHandler {
  const { store, secrets } = core;
  const name = cookieName(store.https);
  // Only genuine cookies, under their whole values, so nothing but the very same cookie is ever found. That says only who
  // signed it: whether its session still exists, the store is asked on every request.
  const recent = new RecentCache<string>(maxCookies);

  function sessionIdOf(req: Request): string | undefined {
    const cookie = firstCookie(req.headers.cookie ?? '', name);
    if (cookie === undefined) return undefined;
    const known = recent.get(cookie);
    if (known !== undefined) return known;
    const sessionId = readSessionId(req, core);
    if (sessionId !== '') recent.set(cookie, copyOf(sessionId));
    return sessionId || undefined;
  }

  /** Sends the cookie of a session that this request has begun, as express-session does. */
  function sendNewCookie(req: Request, res: Response, sessionId: string | undefined): void {
    const { writeHead } = res;
    res.writeHead = ((...args: unknown[]) => {
      const { session } = req;
      // It is stored already, or will be before the headers leave.
      const isBegun = session?.signedInAt !== undefined || store.hasChanges(session);
      const isNew = req.sessionID !== sessionId && isBegun;
      if (isNew && (req.secure || !session.cookie.secure)) renewCookie(req, res, secrets[0]);
      return Reflect.apply(writeHead, res, args);
    }) as Response['writeHead'];
  }

  return (expressSession) =>
    function loadStoredSession(req, res, next) {
      const sessionId = sessionIdOf(req);
      if (sessionId === undefined && req.headers.cookie?.includes(name)) return void expressSession(req, res, next);
      const sessionStore = store as SessionStore & Pick<Request['sessionStore'], 'generate'>;
      req.sessionStore = sessionStore;
      sendNewCookie(req, res, sessionId);
      if (sessionId === undefined) {
        sessionStore.generate(req);
        return next();
      }
      req.sessionID = sessionId;
      const loading = store.get(sessionId);
      if (req.method === 'GET' && req.path === listPath) preloadList(req, store.index);
      loading
        .then((session) => {
          if (session) store.createSession(req, session);
          else sessionStore.generate(req);
        })
        .then(() => next(), next);
    };
}

/** The value of the first cookie of this name, if the Cookie header is as browsers write it up to there. */
function firstCookie(header: string, name: string): string | undefined {
  const start = header.indexOf(name);
  const valueAt = start + name.length + 1;
  const isAtStart = start === 0 || (start > 1 && header.startsWith('; ', start - 2));
  if (!isAtStart || header[valueAt - 1] !== '=') return undefined;
  const end = header.indexOf(';', valueAt);
  return header.slice(valueAt, end === -1 ? undefined : end);
}
