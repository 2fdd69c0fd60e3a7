import type { Request, RequestHandler } from 'express';
import type { IdentityProvider } from '../core.ts';
import { HttpError } from '../http/http-error.ts';

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses requests that another site makes a visitor's browser send (CSRF, ASVS 3.5.1). `Sec-Fetch-Site` decides, or
 * else `Origin`; a client that sends neither is no browser, and sends no cookies unintentionally.
 * @param ownOrigin the site's public origin, where it is configured
 * @param identityProvider another site that may post to one path
 * @throws {HttpError} 403
 */
export function sameOrigin(ownOrigin: string | undefined, identityProvider?: IdentityProvider): RequestHandler {
  return function requireSameOrigin(req, _res, next) {
    if (safeMethods.has(req.method) || isSameOrigin(req, ownOrigin) || isAnswer(req, identityProvider)) return next();
    next(new HttpError(403, 'This form was sent from another site, so nothing was done.'));
  };
}

function isAnswer(req: Request, identityProvider: IdentityProvider | undefined): boolean {
  return (
    identityProvider !== undefined &&
    req.path === identityProvider.callbackPath &&
    req.headers.origin === identityProvider.origin
  );
}

function isSameOrigin(req: Request, ownOrigin: string | undefined): boolean {
  const site = req.headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  const { origin } = req.headers;
  return origin === undefined || isOwnOrigin(origin, req, ownOrigin);
}

/** Whether an origin is this site's: the configured one, or the one that this request was sent to. */
export function isOwnOrigin(origin: string, req: Request, ownOrigin: string | undefined): boolean {
  return origin === ownOrigin || origin === `${req.protocol}://${req.host}`;
}
