import type { RequestHandler } from 'express';

/** What every view may read. Pages that depend on a session are never stored (ASVS 14.3.2). */
export const viewLocals: RequestHandler = function viewLocals(req, res, next) {
  res.locals.email = req.session.email;
  res.setHeader('Cache-Control', 'no-store');
  next();
};
