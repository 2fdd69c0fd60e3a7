import type { RequestHandler } from 'express';
import { HttpError } from '../http/http-error.ts';

/**
 * Lets signed-in visitors through.
 * @throws {HttpError} 401, with the way back to this page
 */
export const requireLogin: RequestHandler = function requireLogin(req, _res, next) {
  if (req.session.email !== undefined) return next();
  const here = req.method === 'GET' ? req.originalUrl : req.baseUrl;
  const loginUrl = `/login?next=${encodeURIComponent(here).replaceAll('%2F', '/')}`;
  next(new HttpError(401, 'Please login first.', { loginUrl }));
};
