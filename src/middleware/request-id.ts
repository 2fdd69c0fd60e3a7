import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';

/** Gives each request an id, which log lines and the error pages of faults name, and returns it to the client. */
export const giveRequestId: RequestHandler = function giveRequestId(req, res, next) {
  req.id = randomRequestId();
  res.setHeader('X-Request-Id', req.id);
  next();
};

/** 86 random bits, as the end of a UUID. */
export function randomRequestId(): string {
  return randomUUID().slice(15);
}
