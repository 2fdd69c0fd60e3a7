import type { Request, RequestHandler } from 'express';
import type { Logger } from '../../log.ts';
import { cutText } from '../../shared/cut-text.ts';
import { isFromProxy } from '../../shared/from-proxy.ts';

/** What a proxy may name a request: nothing that would stand for something else in a log or a header. */
const idShape = /^[\w.:=+-]{8,64}$/;
const maxPathLength = 200; // Longer than any path of ours.

/**
 * Logs a line about each request, under the X-Request-Id of a trusted proxy if it came with one. The line has the method
 * and the start of the path without the query, so cookies, codes and bodies can't leak from it (ASVS 16.2.5). A page that
 * is so slow that the server cuts its response off leaves a warning as well.
 */
export function requestLog(log: Logger): RequestHandler {
  return function logRequest(req, res, next) {
    const startedAt = performance.now();
    const { method } = req;
    const path = cutText(req.path, maxPathLength);
    const given = givenId(req);
    if (given !== undefined) {
      req.id = given;
      res.setHeader('X-Request-Id', given);
    }
    res.once('close', () => {
      const milliseconds = Math.round((performance.now() - startedAt) * 10) / 10;
      const line = { id: req.id, method, path, status: res.statusCode, milliseconds };
      log.info(res.writableFinished ? line : { ...line, aborted: true }, 'request');
    });
    res.once('timeout', () => {
      if (res.listenerCount('timeout') > 0) return; // The page has a limit of its own, and answers.
      // Otherwise it is the visitor who is silent, or gone.
      const isOurs = req.complete && req.socket.writableLength === 0;
      if (isOurs) log.warn({ id: req.id, method, path }, 'response cut off, since this page sent nothing for too long');
      req.socket.destroy(); // Node leaves that to whoever listens.
    });
    next();
  };
}

function givenId(req: Request): string | undefined {
  const given = req.headers['x-request-id'];
  return typeof given === 'string' && idShape.test(given) && isFromProxy(req) ? given : undefined;
}
