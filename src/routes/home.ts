import type { RequestHandler } from 'express';

/** What Latchkey is, with the form, or a greeting. */
export const showHome: RequestHandler = function showHome(_req, res) {
  res.render('home');
};
