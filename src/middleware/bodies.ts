import type { Request, RequestHandler } from 'express';
import { HttpError } from '../http/http-error.ts';

/**
 * Refuses compressed bodies: a few bytes can inflate to a thousand times as many, and no client of ours needs to
 * compress. Comes before anything that reads a body.
 * @throws {HttpError} 415, which names the one encoding that is read (RFC 9110, 15.5.16)
 */
export const plainBodiesOnly: RequestHandler = function plainBodiesOnly(req, _res, next) {
  const encoding = req.headers['content-encoding']?.toLowerCase() || 'identity';
  if (encoding === 'identity') return next();
  next(
    new HttpError(415, 'The form was sent compressed, which this site does not accept.', {
      headers: { 'Accept-Encoding': 'identity' },
    }),
  );
};

/**
 * Refuses a body that no parser took. An empty one passes, whatever its framing and type: proxies that speak HTTP/2
 * to the visitor send the POST of a button as an empty chunked body.
 * @throws {HttpError} 415
 */
export const knownBodiesOnly: RequestHandler = async function knownBodiesOnly(req, _res, next) {
  if (req.body === undefined && (await hasContent(req))) {
    throw new HttpError(415, 'The form was sent in a format that this page does not accept.', {
      headers: { 'Accept-Post': 'application/x-www-form-urlencoded, application/json' },
    });
  }
  next();
};

async function hasContent(req: Request): Promise<boolean> {
  if (req.headers['transfer-encoding'] === undefined) return Number(req.headers['content-length']) > 0;
  // A chunked body does not say how long it is; the server's deadline for requests bounds the wait.
  return new Promise((done) => {
    req.once('data', () => done(true));
    req.once('end', () => done(false));
    req.once('close', () => done(true));
  });
}

/** A field of the body, whatever its type. Own fields only: a body may name `__proto__`. */
export function bodyField(req: Request, name: string): unknown {
  const body: unknown = req.body;
  return typeof body === 'object' && body !== null && Object.hasOwn(body, name) ? Reflect.get(body, name) : undefined;
}
