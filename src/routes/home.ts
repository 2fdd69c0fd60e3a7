import type { RequestHandler } from 'express';

/** The login form with a few words about the site; or a greeting for a visitor who is signed in. */
export const showHome: RequestHandler = (_req, res) => res.render('home');
