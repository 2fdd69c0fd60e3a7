import type { Request, RequestHandler } from 'express';
import type { IdentityProvider } from '../core.ts';
import { HttpError } from '../http/http-error.ts';
import { type Logger, requestFields } from '../log.ts';

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses requests that another site makes a visitor's browser send (CSRF, ASVS 3.5.1). `Sec-Fetch-Site` decides, or
 * else `Origin`; a client that sends neither is no browser, and sends no cookies unintentionally.
 * @param ownOrigin the site's public origin, where it is configured
 * @param provider another site that may post to one path
 * @throws {HttpError} 403
 */
export function sameOrigin(log: Logger, ownOrigin?: string, provider?: IdentityProvider): RequestHandler {
  const isAnswer = ({ path, headers }: Request) =>
    path === provider?.callback?.path && headers.origin === provider.callback.origin;
  return function requireSameOrigin(req, _res, next) {
    if (safeMethods.has(req.method) || isSameOrigin(req, ownOrigin) || isAnswer(req)) return next();
    // Up to what no browser sends, such as an escape sequence for a terminal.
    const [origin, site] = ['origin', 'sec-fetch-site'].map((name) => req.get(name)?.match(/^[ -~]{0,200}/)?.[0]);
    log.info({ ...requestFields(req), origin, site }, 'refused a request from another site');
    next(new HttpError(403, 'This form was sent from another site, so nothing was done.'));
  };
}

function isSameOrigin(req: Request, ownOrigin: string | undefined): boolean {
  const { origin, 'sec-fetch-site': site } = req.headers;
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  return origin === undefined || isOwnOrigin(origin, req, ownOrigin);
}

/** Whether an origin is this site's: the configured one, or the one that this request was sent to. */
export function isOwnOrigin(origin: string, req: Request, ownOrigin: string | undefined): boolean {
  return origin === ownOrigin || origin === `${req.protocol}://${req.host}`;
}
