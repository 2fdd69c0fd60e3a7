import type { RequestHandler, Response } from 'express';
import type { SessionLimits } from '../config.ts';
import { HttpError } from '../http/http-error.ts';
import type { Logger } from '../log.ts';
import { bodyField } from '../middleware/bodies.ts';
import { absoluteEndOf, idleSecondsOf } from '../session/lifetime.ts';
import { handleOf } from '../session/record.ts';
import type { SessionIndex } from '../session/session-index.ts';
import { currentEmail } from '../session/sign-in.ts';

type Parts = { index: SessionIndex; limits: SessionLimits; log: Logger };

/** Greets, and lists the sessions of this address (ASVS 7.5.2). */
export function showAdmin({ index, limits }: Parts): RequestHandler {
  return async function showAdmin(req, res) {
    const email = currentEmail(req);
    const { signedInAt = 0, remember = false } = req.session;
    res.render('admin', {
      signedInAt,
      endsAt: absoluteEndOf({ signedInAt, remember }, limits),
      idleSeconds: idleSecondsOf({ remember }, limits),
      sessions: await index.list(email, { ownId: req.sessionID }),
      thisHandle: handleOf(req.sessionID),
      ended: readCount(req.query.ended),
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
    if (ended) log.info({ id: req.id, session: handle, by: handleOf(req.sessionID) }, 'session ended');
    answerEnded(res, ended ? 1 : 0);
  };
}

/** Ends all of the visitor's sessions but this one (ASVS 7.4.3). */
export function endOtherSessions({ index, log }: Parts): RequestHandler {
  return async function endOtherSessions(req, res) {
    const ended = await index.endAll(currentEmail(req), { exceptId: req.sessionID });
    log.info({ id: req.id, ended, by: handleOf(req.sessionID) }, 'other sessions ended');
    answerEnded(res, ended);
  };
}

// Back to the list, with the focus on what it says about this.
function answerEnded(res: Response, count: number): void {
  res.redirect(303, `/admin?ended=${count}#ended`);
}

function readCount(asked: unknown): number | undefined {
  return typeof asked === 'string' && /^\d{1,4}$/.test(asked) ? Number(asked) : undefined;
}
