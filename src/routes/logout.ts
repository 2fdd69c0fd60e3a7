import type { Request, RequestHandler, Response } from 'express';
import type { Logger } from '../log.ts';
import { handleOf } from '../session/record.ts';
import { signOut } from '../session/sign-in.ts';

/** Ends the session. */
export function logOut(log: Logger): RequestHandler {
  return async function logOut(req, res) {
    await endSession(req, res, log);
  };
}

/**
 * Ends the session for a visitor who typed the address or followed a link of ours. Another site could also
 * have made the browser come here, or the browser itself while fetching ahead: they get a button (ASVS 3.5.3).
 */
export function followLogout(log: Logger): RequestHandler {
  return async function followLogout(req, res) {
    if (req.session.email === undefined || isOwnWish(req)) await endSession(req, res, log);
    else res.render('logout');
  };
}

async function endSession(req: Request, res: Response, log: Logger): Promise<void> {
  if (req.session.email !== undefined) {
    const session = handleOf(req.sessionID);
    await signOut(req, res);
    log.info({ id: req.id, session }, 'signed out');
  }
  res.redirect(303, '/');
}

// https://www.w3.org/TR/fetch-metadata/ ; a client that sends none of it is no browser that somebody else drives.
function isOwnWish(req: Request): boolean {
  const { headers } = req;
  if (req.method !== 'GET') return false;
  if (/prefetch|prerender|preview/i.test(`${headers['sec-purpose']} ${headers.purpose} ${headers['x-moz']}`))
    return false;
  const site = headers['sec-fetch-site'];
  const mode = headers['sec-fetch-mode'];
  const destination = headers['sec-fetch-dest'];
  if (site === undefined && mode === undefined && destination === undefined) return !isForeign(headers.referer, req);
  return (site === 'same-origin' || site === 'none') && mode === 'navigate' && destination === 'document';
}

function isForeign(referer: string | undefined, req: Request): boolean {
  return referer !== undefined && (!URL.canParse(referer) || new URL(referer).host !== req.host);
}
