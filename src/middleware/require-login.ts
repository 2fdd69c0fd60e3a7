import type { RequestHandler } from 'express';
import { currentEmail } from '../session/sign-in.ts';

/** Lets signed-in visitors through; the others get a 401. */
export const requireLogin: RequestHandler = function requireLogin(req, _res, next) {
  currentEmail(req);
  next();
};
