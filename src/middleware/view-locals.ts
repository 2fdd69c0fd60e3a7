import type { RequestHandler } from 'express';
import { tagIn } from '../session/session-id.ts';

/** What every view may read. Pages that depend on a session are never stored (ASVS 14.3.2). */
export const viewLocals: RequestHandler = function viewLocals(req, res, next) {
  const { email } = req.session;
  Object.assign(res.locals, { email, owner: email === undefined ? '' : tagIn(req.sessionID) });
  res.setHeader('Cache-Control', 'no-store');
  next();
};
