import type { RequestHandler } from 'express';
import { HttpError } from '../http-error.ts';
import type { Logger } from '../log.ts';
import type { EndLinks } from '../login/end-links.ts';
import { handleOf } from '../session/record.ts';
import type { SessionStore } from '../session/store.ts';
import { bodyField } from './login.ts';

type Parts = { endLinks: EndLinks; store: SessionStore; log: Logger };

/** Where the link of a notice leads: a button, since whatever opens links must not end sessions. */
export function showEndSession({ endLinks }: Parts): RequestHandler {
  return async function showEndSession(req, res) {
    const { token } = req.query;
    if (typeof token !== 'string' || (await endLinks.find(token)) === null) throw usedUp();
    res.render('end-session', { token });
  };
}

/** Ends the session that the link stands for. */
export function endLinkedSession({ endLinks, store, log }: Parts): RequestHandler {
  return async function endLinkedSession(req, res) {
    const token = bodyField(req, 'token');
    const sessionId = typeof token === 'string' ? await endLinks.find(token) : null;
    if (typeof token !== 'string' || sessionId === null) throw usedUp();
    // First the session: if Redis refuses, the link is still there for another try.
    await store.destroy(sessionId);
    if (!(await endLinks.use(token))) throw usedUp();
    log.info({ id: req.id, session: handleOf(sessionId), by: 'link' }, 'session ended');
    if (sessionId === req.sessionID) Reflect.deleteProperty(res.locals, 'email');
    res.render('end-session');
  };
}

function usedUp(): HttpError {
  return new HttpError(410, 'This link has been used, or is too old.', { loginUrl: '/login' });
}
