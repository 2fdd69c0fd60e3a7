import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';

/** Gives each request an id, which log lines and the error pages of faults name, and returns it to the client. */
export const giveRequestId: RequestHandler = function giveRequestId(req, res, next) {
  req.id = randomUUID().slice(15); // 74 random bits; a whole UUID would lengthen each line of the log.
  res.setHeader('X-Request-Id', req.id);
  next();
};
