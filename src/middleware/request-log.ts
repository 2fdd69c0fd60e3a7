import { randomBytes } from 'node:crypto';
import type { RequestHandler } from 'express';
import { cutText, type Logger } from '../log.ts';

declare global {
  namespace Express {
    interface Request {
      /** Names this request in the log, and to a visitor who reports an error. */
      id: string;
    }
  }
}

/** Longer than any path of ours. */
const maxPathLength = 200;

/**
 * One line per request: id, method, path, status, time. Of what a visitor sent, only the start of the path is logged,
 * without the query: cookies, codes and bodies can't leak from a log that never sees them (ASVS 16.2.5).
 */
export function requestLog(log: Logger): RequestHandler {
  const process = randomBytes(4).toString('hex');
  let count = 0;

  return function logRequest(req, res, next) {
    const startedAt = performance.now();
    const { method } = req;
    const path = cutText(req.path, maxPathLength);
    count += 1;
    req.id = `${process}-${count.toString(36)}`;
    res.once('close', () => {
      const milliseconds = Math.round((performance.now() - startedAt) * 10) / 10;
      const line = { id: req.id, method, path, status: res.statusCode, milliseconds };
      if (res.writableFinished) log.info(line, 'request');
      else log.info({ ...line, aborted: true }, 'request');
    });
    next();
  };
}
