import type { RequestHandler } from 'express';
import { HttpError } from '../http-error.ts';

/**
 * Refuses a body that no parser took.
 * @throws {HttpError} 415
 */
export const knownBodiesOnly: RequestHandler = function knownBodiesOnly(req, _res, next) {
  const hasBody = req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length']) > 0;
  if (!hasBody || req.body !== undefined) return next();
  const accepted = 'application/x-www-form-urlencoded, application/json';
  next(
    new HttpError(415, 'The form was sent in a format that this page does not read.', {
      headers: { 'Accept-Post': accepted },
    }),
  );
};
