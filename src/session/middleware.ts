import type { NextFunction, Request, RequestHandler, Response } from 'express';
import session from 'express-session';
import type { SessionSecrets } from '../config.ts';
import type { Logger } from '../log.ts';
import { cookieAttributes, cookieName, isSignedBefore, renewCookie } from './cookie.ts';
import { generateSessionId } from './sign-in.ts';
import type { SessionStore } from './store.ts';

export type SessionsOptions = {
  store: SessionStore;
  secrets: SessionSecrets;
  /** Whether visitors come by https: the cookie is then `Secure`. */
  https: boolean;
  log: Logger;
};

/**
 * Loads the visitor's session into `req.session` and keeps the cookie current. Who only looks gets neither a
 * session nor a cookie (ASVS 7.6.2).
 */
export function sessions(options: SessionsOptions): RequestHandler[] {
  const { store, secrets, https, log } = options;
  const [newestSecret] = secrets;
  const attributes = cookieAttributes(https);
  const load = session({
    store,
    secret: secrets,
    name: cookieName(attributes.secure),
    cookie: attributes,
    genid: generateSessionId,
    resave: false,
    saveUninitialized: false,
  });
  const secretsRotate = secrets.length > 1;

  // Express-session hashes the session twice at the end of a request to see whether it changed, and asks for a
  // touch. The store knows already, so the answer with an unchanged session goes straight out.
  function loadSession(req: Request, res: Response, next: NextFunction): void {
    const { end } = res;
    load(req, res, (error?: unknown) => {
      const saveAndEnd = res.end;
      res.end = function endOrSave(this: Response, ...args: []) {
        return Reflect.apply(store.isSaved(req.session) ? end : saveAndEnd, this, args);
      };
      next(error);
    });
  }

  function keepCookieCurrent(req: Request, res: Response, next: NextFunction): void {
    if (req.session.email !== undefined) {
      const expiryMoved = req.session.remember === true && store.wasTouched(req.session);
      if (expiryMoved || (secretsRotate && isSignedBefore(req, newestSecret))) renewCookie(req, res, newestSecret);
    }
    next();
  }

  return attributes.secure
    ? [warnOnceIfInsecure(log), loadSession, keepCookieCurrent]
    : [loadSession, keepCookieCurrent];
}

// Only a request can show that the proxy in front does not say how the visitor came (express-session#281).
function warnOnceIfInsecure(log: Logger): RequestHandler {
  let warned = false;
  return function warnIfInsecure(req, _res, next) {
    if (!warned && !req.secure) {
      warned = true;
      log.warn(
        'BASE_URL is https, but a request arrived as http, and nobody can sign in that way: let the proxy send X-Forwarded-Proto: https, and name the proxy in TRUST_PROXY',
      );
    }
    next();
  };
}
