import { randomBytes } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { cutText, type Logger } from '../log.ts';

/** What a proxy may name a request: nothing that would stand for something else in a log or a header. */
const idShape = /^[\w.:=+-]{8,64}$/;
/** Longer than any path of ours. */
const maxPathLength = 200;

/**
 * Names each request, by the X-Request-Id of a proxy that is trusted or at random, and tells the client. Then one line per
 * request: id, method, path, status, time. Of what a visitor sent, only the start of the path is logged,
 * without the query: cookies, codes and bodies can't leak from a log that never sees them (ASVS 16.2.5).
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

function givenId({ headers, app, socket }: Request): string | undefined {
  const given = headers['x-request-id'];
  const trusts: (address: string | undefined, hop: number) => boolean = app.get('trust proxy fn');
  return typeof given === 'string' && idShape.test(given) && trusts(socket.remoteAddress, 0) ? given : undefined;
}
