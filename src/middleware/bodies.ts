import bodyParser from 'body-parser';
import type { Request, RequestHandler } from 'express';
import { HttpError } from '../http/http-error.ts';

const limit = '16kb';

/** Refuses compressed bodies, which can inflate a thousandfold. The 415 names what is accepted (RFC 9110, 15.5.16). */
const refuseCompressed: RequestHandler = function refuseCompressed(req, _res, next) {
  const encoding = req.headers['content-encoding']?.toLowerCase() || 'identity';
  if (encoding === 'identity') return next();
  const headers = { 'Accept-Encoding': 'identity' };
  next(new HttpError(415, 'The form was sent compressed, which this site does not accept.', { headers }));
};

/**
 * Refuses a body that no parser took, with a 415. An empty one passes, whatever its framing and type: proxies that speak
 * HTTP/2 to the visitor send the POST of a button as an empty chunked body.
 */
const refuseUnknown: RequestHandler = async function refuseUnknown(req, _res, next) {
  if (req.body !== undefined || !(await hasContent(req))) return next();
  const headers = { 'Accept-Post': 'application/x-www-form-urlencoded, application/json' };
  throw new HttpError(415, 'The form was sent in a format that this page does not accept.', { headers });
};

/** Reads forms and JSON into `req.body`. */
export const readBodies: RequestHandler[] = [
  refuseCompressed,
  bodyParser.urlencoded({ extended: false, inflate: false, limit, parameterLimit: 50 }),
  bodyParser.json({ inflate: false, limit }),
  refuseUnknown,
];

async function hasContent(req: Request): Promise<boolean> {
  if (req.headers['transfer-encoding'] === undefined) return Number(req.headers['content-length']) > 0;
  // A chunked body does not say how long it is. If the connection closes first, nobody is left to answer.
  return new Promise((done) => {
    req.once('data', () => done(true));
    req.once('end', () => done(false));
  });
}

/** A field of the body, whatever its type. Own fields only: a body may name `__proto__`. */
export function bodyField(req: Request, name: string): unknown {
  const body: unknown = req.body;
  return typeof body === 'object' && body !== null && Object.hasOwn(body, name) ? Reflect.get(body, name) : undefined;
}
