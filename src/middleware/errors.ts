import type { ErrorRequestHandler, RequestHandler } from 'express';
import { answerAs } from '../http/content-negotiation.ts';
import { HttpError } from '../http/http-error.ts';
import { isDecodable } from '../http/url.ts';
import type { Logger } from '../log.ts';
import { RedisUnavailable } from '../redis/connect.ts';
import { outageLog } from '../redis/outage-log.ts';
import { discardChanges } from '../session/sign-in.ts';
import { loginStep } from './login-step.ts';

const retryAfterSeconds = 5;

// What a visitor reads when the error brought no words of its own.
const messages: Record<number, string> = {
  400: 'The request could not be understood.',
  404: 'There is no page at this address.',
  413: 'That is more than this page takes.',
  415: 'The form was sent in a format that this page does not accept.',
  500: 'Something went wrong on our side. Please try again.',
  503: 'That did not work just now. Please try again in a few seconds.',
};

/** @throws {HttpError} 404, or 400 for a path that can't be decoded */
export const notFound: RequestHandler = function notFound(req, _res, next) {
  const status = isDecodable(req.path) ? 404 : 400;
  next(new HttpError(status, messages[status] ?? ''));
};

/**
 * Refuses the methods that a path does not have (RFC 9110, 15.5.6).
 * @throws {HttpError} 405
 */
export function allowOnly(...methods: string[]): RequestHandler {
  const allow = methods.join(', ');
  return function refuseMethod(req, res, next) {
    if (req.method === 'OPTIONS') {
      res.set('Allow', allow).status(204).end();
      return;
    }
    next(new HttpError(405, `This address does not take ${req.method} requests.`, { headers: { Allow: allow } }));
  };
}

/**
 * The one place where an error becomes a response: a page, a line of text or JSON. Only the words of an
 * `HttpError` reach the client; everything else is told to the log, under the request's id (ASVS 16.5.1), but
 * an outage of Redis only when it begins and ends.
 */
export function errorPage(log: Logger, noteOutage = outageLog(log)): ErrorRequestHandler {
  return function answerError(error: unknown, req, res, _next) {
    const { status, message, details } = explain(error);
    discardChanges(req);
    if (error instanceof RedisUnavailable) noteOutage(error);
    else if (status >= 500) log.error({ id: req.id, err: error }, 'request failed');

    if (res.headersSent) {
      // Too late for a page. A response that is under way is cut off, so that nobody takes it for complete.
      if (!res.writableEnded) res.destroy();
      return;
    }
    if (status === 503) res.set('Retry-After', String(retryAfterSeconds));
    res.status(status).set({ 'Cache-Control': 'no-store', ...details.headers });
    answerAs(req, res, {
      html: () => {
        const nextStep = status === 401 ? loginStep(req, res) : { loginUrl: details.loginUrl };
        res.render('error', { status, message, ...nextStep, requestId: req.id });
      },
      text: () => res.type('text').send(`${message}\n`),
      json: () => res.json({ error: message, ...(status >= 500 && { requestId: req.id }) }),
    });
  };
}

function explain(error: unknown): Pick<HttpError, 'status' | 'message' | 'details'> {
  if (error instanceof HttpError) return error;
  const status = error instanceof RedisUnavailable ? 503 : clientErrorStatus(error);
  return { status, message: messages[status] ?? messages[400] ?? '', details: {} };
}

// The body parser's and the router's errors carry a status; any other error is a fault of ours.
function clientErrorStatus(error: unknown): number {
  const status = error instanceof Error && 'status' in error ? Number(error.status) : 500;
  return status >= 400 && status < 500 ? status : 500;
}
