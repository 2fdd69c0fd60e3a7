import type { Request, RequestHandler } from 'express';
import { HttpError } from '../../http/http-error.ts';
import { type Logger, requestFields } from '../../log.ts';
import { bodyField } from '../../middleware/bodies.ts';
import { handleOf, tagIn } from '../../session/session-id.ts';
import { signOut } from '../../session/sign-in.ts';
import type { SessionStore } from '../../session/store.ts';
import type { KnownBrowsers } from './known-browsers.ts';
import { type Linked, noDevice, type RevocationLinks } from './revocation-links.ts';

type Parts = { links: RevocationLinks; knownBrowsers: KnownBrowsers; store: SessionStore; log: Logger };

/** Where the link of a notice leads: a button, since whatever opens links must not end sessions. */
export function showEndSession({ links, store }: Parts): RequestHandler {
  return async function showEndSession(req, res) {
    const { token } = req.query;
    const linked = typeof token === 'string' ? await links.find(token) : undefined;
    if (!linked || linked.hasEnded !== undefined) throw usedUp(req);
    const session = await store.peek(linked.sessionId);
    res.render('email-code/end-session', { token, session, isStolen: linked.deviceId === noDevice });
  };
}

/**
 * Ends the session that the link stands for, and makes its browser new to the address again. A second press, or a reload,
 * does nothing more and is told the same.
 */
export function endLinkedSession(parts: Parts): RequestHandler {
  return async function endLinkedSession(req, res) {
    const token = bodyField(req, 'token');
    const linked = typeof token === 'string' ? await parts.links.find(token) : undefined;
    if (typeof token !== 'string' || !linked) throw usedUp(req);
    const hasEnded = linked.hasEnded ?? (await endOnce(parts, req, token, linked));
    if (linked.sessionId === req.sessionID) {
      await signOut(req, res);
      res.locals.email = undefined;
    }
    // Whoever can read the mail may have signed in once more since, and that session is another one.
    res.render('email-code/end-session', { hasEnded, isStolen: linked.deviceId === noDevice });
  };
}

async function endOnce(
  { links, knownBrowsers, store, log }: Parts,
  req: Request,
  token: string,
  linked: Linked,
): Promise<boolean> {
  const { sessionId, deviceId } = linked;
  // First the session: if Redis refuses, the link is still there for another try.
  const wasLive = await store.index.endById(sessionId);
  if (wasLive) log.info({ ...requestFields(req), session: handleOf(sessionId), by: 'link' }, 'session ended');
  if (deviceId !== noDevice) await knownBrowsers.forget(tagIn(sessionId), deviceId);
  return links.use(token, linked, wasLive);
}

function usedUp(req: Request): HttpError {
  const isSignedIn = req.session.email !== undefined;
  const link = isSignedIn ? { href: '/admin', label: 'See your sessions' } : { href: '/login', label: 'Log in' };
  const note = `You can see all of your sessions, and end any of them${isSignedIn ? '' : ', once you have logged in'}.`;
  return new HttpError(410, 'This link has been used, or is too old.', { note, link });
}
