import type { RequestHandler } from 'express';
import type { SignInWay } from '../core.ts';

/** The login form with a few words about the site; or a greeting for a visitor who is signed in. */
export function showHome({ findLoginNotice }: SignInWay): RequestHandler {
  return async function showHome(req, res) {
    const isSignedIn = req.session.email !== undefined;
    const loginNotice = isSignedIn ? undefined : await findLoginNotice?.(req);
    res.render('home', { ...loginNotice, loginNotice });
  };
}
