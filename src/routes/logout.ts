import type { Request, RequestHandler, Response } from 'express';
import { parseUrl } from '../http/url.ts';
import { type Logger, requestFields } from '../log.ts';
import { isOwnOrigin } from '../middleware/same-origin.ts';
import { handleOf } from '../session/session-id.ts';
import { signOut } from '../session/sign-in.ts';

/** Ends the session. */
export function logOut(log: Logger): RequestHandler {
  return (req, res) => endAndGoHome(req, res, log);
}

/**
 * Ends the session for a visitor who typed the address or followed a link of ours. Another site could also
 * have made the browser come here, or the browser itself while fetching ahead: they get a button (ASVS 3.5.3).
 * @param ownOrigin the site's public origin, where it is configured
 */
export function followLogout(log: Logger, ownOrigin: string | undefined): RequestHandler {
  return async function followLogout(req, res) {
    if (req.session.email === undefined || isOwnWish(req, ownOrigin)) await endAndGoHome(req, res, log);
    else res.render('logout');
  };
}

async function endAndGoHome(req: Request, res: Response, log: Logger): Promise<void> {
  if (req.session.email !== undefined) {
    const session = handleOf(req.sessionID);
    await signOut(req, res);
    log.info({ ...requestFields(req), session }, 'signed out');
  }
  res.redirect(303, '/');
}

/**
 * Whether visitors came to a page by typing its address or by a link of this site (https://www.w3.org/TR/fetch-metadata/).
 * Where none of it is sent (old browsers, plain http, no browser at all), a foreign Referer is refused. Without one
 * nobody can tell, and the worst is a sign-out.
 */
export function isOwnWish(req: Request, ownOrigin: string | undefined): boolean {
  const { 'sec-fetch-site': site, 'sec-fetch-mode': mode, 'sec-fetch-dest': destination, referer } = req.headers;
  const { 'sec-purpose': secPurpose, purpose, 'x-moz': xMoz } = req.headers;
  const isAhead = /prefetch|prerender|preview/i.test(`${secPurpose} ${purpose} ${xMoz}`);
  if (req.method !== 'GET' || isAhead) return false;
  if (site === undefined && mode === undefined && destination === undefined) {
    return referer === undefined || isOwnOrigin(parseUrl(referer)?.origin ?? 'null', req, ownOrigin);
  }
  return (site === 'same-origin' || site === 'none') && mode === 'navigate' && destination === 'document';
}
