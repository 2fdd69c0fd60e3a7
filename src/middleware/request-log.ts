import { randomBytes } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { isFromProxy } from '../http/from-proxy.ts';
import { cutText, type Logger } from '../log.ts';

/** What a proxy may name a request: nothing that would stand for something else in a log or a header. */
const idShape = /^[\w.:=+-]{8,64}$/;
/** Longer than any path of ours. */
const maxPathLength = 200;

/**
 * Gives each request an id, which is the X-Request-Id of a trusted proxy or random, and returns it to the client. Logs one
 * line per request: id, method, path, status, time. Of what a visitor sent, only the start of the path is logged, without
 * the query: cookies, codes and bodies can't leak from a log that never sees them (ASVS 16.2.5).
 */
export function requestLog(log: Logger): RequestHandler {
  return function logRequest(req, res, next) {
    const startedAt = performance.now();
    const { method } = req;
    const path = cutText(req.path, maxPathLength);
    req.id = givenId(req) ?? randomBytes(9).toString('base64url');
    res.setHeader('X-Request-Id', req.id);
    res.once('close', () => {
      const milliseconds = Math.round((performance.now() - startedAt) * 10) / 10;
      const line = { id: req.id, method, path, status: res.statusCode, milliseconds };
      if (res.writableFinished) log.info(line, 'request');
      else log.info({ ...line, aborted: true }, 'request');
    });
    next();
  };
}

function givenId(req: Request): string | undefined {
  const given = req.headers['x-request-id'];
  return typeof given === 'string' && idShape.test(given) && isFromProxy(req) ? given : undefined;
}
