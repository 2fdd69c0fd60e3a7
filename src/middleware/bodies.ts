import type { Request, RequestHandler } from 'express';
import { HttpError } from '../http/http-error.ts';

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

/** A field of the body, whatever its type. Own fields only: a body may name `__proto__`. */
export function bodyField(req: Request, name: string): unknown {
  const body: unknown = req.body;
  return typeof body === 'object' && body !== null && Object.hasOwn(body, name) ? Reflect.get(body, name) : undefined;
}
