import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';

/** Gives each request an id, which log lines and the error pages of faults name, and returns it to the client. */
export const giveRequestId: RequestHandler = function giveRequestId(req, res, next) {
  req.id = randomRequestId();
  res.setHeader('X-Request-Id', req.id);
  next();
};

export const randomRequestId = (): string => randomUUID().slice(15); // 86 random bits
