import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';

/** Gives each request an id, which log lines and the error pages of faults name, and returns it to the client. */
export const giveRequestId: RequestHandler = function giveRequestId(req, res, next) {
  req.id = randomUUID().replaceAll('-', '').slice(13); // 74 random bits. No hyphens: a browser may break a line after one.
  res.setHeader('X-Request-Id', req.id);
  next();
};
