import type { RequestHandler } from 'express';
import { agoWords, durationWords, timeWords } from '../words.ts';

/** What every view may read. Pages that depend on a session are never stored (ASVS 14.3.2). */
export const viewLocals: RequestHandler = function viewLocals(req, res, next) {
  res.locals.email = req.session.email;
  res.locals.words = { agoWords, durationWords, timeWords };
  res.setHeader('Cache-Control', 'no-store');
  next();
};
