import type { NextFunction, Request, RequestHandler, Response } from 'express';
import session from 'express-session';
import { cookieAttributes, cookieName, isSignedBefore, renewCookie, type SessionSecrets } from './cookie.ts';
import { holdUntilSaved } from './hold-response.ts';
import { generateSessionId } from './sign-in.ts';
import type { SessionStore } from './store.ts';

export type SessionsOptions = {
  store: SessionStore;
  /** The first signs cookies, all verify them; each has at least 32 characters. */
  secrets: SessionSecrets;
  /** Takes the middleware of express-session, and returns what stands in its place. */
  wrapLoading?: (expressSession: RequestHandler) => RequestHandler;
};

/**
 * Loads the visitor's session into `req.session`, stores what a page changes in it before the response leaves, and
 * keeps the cookie current. Visitors who only look get neither a session nor a cookie (ASVS 7.6.2).
 */
export function sessions({ store, secrets, wrapLoading }: SessionsOptions): [RequestHandler, RequestHandler] {
  const expressSession = session({
    store,
    secret: [...secrets],
    name: cookieName(store.https),
    cookie: cookieAttributes(store.https),
    genid: generateSessionId,
    resave: false,
    saveUninitialized: false,
  });
  const load = wrapLoading?.(expressSession) ?? expressSession;

  function loadSession(req: Request, res: Response, next: NextFunction): void {
    // Where there is no Express, as with a WebSocket's upgrade, a session is only loaded.
    if (!('cookie' in res)) return void expressSession(req, res, next);
    const { write, end, flushHeaders } = res;
    load(req, res, (error?: unknown) => {
      // Express-session's own `end` hashes the session twice, and sends most of a response before it saves.
      holdUntilSaved({ req, res, next }, store, { write, end, flushHeaders });
      next(error);
    });
  }

  function keepCookieCurrent(req: Request, res: Response, next: NextFunction): void {
    const { signedInAt, remember } = req.session;
    const isStored = signedInAt !== undefined && 'cookie' in res;
    if (isStored && remember && store.wasTouched(req.session)) renewCookie(req, res, secrets[0]);
    else if (isStored && secrets.length > 1 && isSignedBefore(req, secrets[0])) renewCookie(req, res, secrets[0]);
    next();
  }

  return [loadSession, keepCookieCurrent];
}
