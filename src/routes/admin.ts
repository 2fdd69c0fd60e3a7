import type { Request, RequestHandler, Response } from 'express';
import { now } from '../clock.ts';
import type { AdminSection } from '../core.ts';
import { HttpError } from '../http/http-error.ts';
import { type Logger, requestFields } from '../log.ts';
import { bodyField } from '../middleware/bodies.ts';
import { setFlash, takeFlash } from '../session/flash.ts';
import { absoluteEndOf, idleSecondsOf, type SessionLimits } from '../session/lifetime.ts';
import { handleOf } from '../session/session-id.ts';
import type { ListedSession, SessionIndex } from '../session/session-index.ts';
import { currentEmail, saveSession } from '../session/sign-in.ts';

type Parts = {
  index: SessionIndex;
  /** The live sessions of the visitor's address, the most recently used first. */
  listSessions: (req: Request, index: SessionIndex) => Promise<ListedSession[]>;
  limits: SessionLimits;
  log: Logger;
  sections: AdminSection[];
};

/** Asks Redis for the list; throws `RedisUnavailable`. */
export const listLiveSessions: Parts['listSessions'] = (req, index) => index.listFor(req.sessionID);

/** Greets, and lists the sessions of this address (ASVS 7.5.2). */
export function showAdmin({ index, listSessions, limits, sections: all }: Parts): RequestHandler {
  return async function showAdmin(req, res) {
    const email = currentEmail(req);
    const { signedInAt = 0, remember = false } = req.session;
    const sessions = await listSessions(req, index);
    const sections = await Promise.all(
      all.map(async ({ view, load }) => ({ view, data: await load({ email, sessions }) })),
    );
    res.render('admin', {
      shownAt: now(),
      signedInAt,
      endsAt: absoluteEndOf({ signedInAt, remember }, limits),
      idleSeconds: idleSecondsOf({ remember }, limits),
      sessions,
      sections,
      thisHandle: handleOf(req.sessionID),
      flash: takeFlash(req),
    });
  };
}

/** Ends one of the visitor's sessions, named by its handle. */
export function endSession({ index, log }: Parts): RequestHandler {
  return async function endSession(req, res) {
    const email = currentEmail(req);
    const handle = bodyField(req, 'session');
    if (typeof handle !== 'string') {
      throw new HttpError(422, 'Which session? Go back and choose one from the list.');
    }
    const ended = await index.end(email, handle);
    if (ended) log.info({ ...requestFields(req), session: handle, by: handleOf(req.sessionID) }, 'session ended');
    await answerEnded(req, res, ended ? 'The session has been ended.' : 'You have no such session any more.');
  };
}

/** Ends all of the visitor's sessions but this one (ASVS 7.4.3). */
export function endOtherSessions({ index, log }: Parts): RequestHandler {
  return async function endOtherSessions(req, res) {
    const ended = await index.endAll(currentEmail(req), { exceptId: req.sessionID });
    log.info({ ...requestFields(req), ended, by: handleOf(req.sessionID) }, 'other sessions ended');
    const sessions = ended === 1 ? 'The other session has' : `${ended} other sessions have`;
    await answerEnded(req, res, ended === 0 ? 'There were no other sessions.' : `${sessions} been ended.`);
  };
}

async function answerEnded(req: Request, res: Response, message: string): Promise<void> {
  setFlash(req, message);
  // They have ended, even if Redis has no room for the message.
  await saveSession(req).catch(() => {});
  res.redirect(303, '/admin');
}
