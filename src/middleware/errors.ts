import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import type { Core } from '../core.ts';
import { answerAs } from '../http/content-negotiation.ts';
import { HttpError, type HttpErrorDetails } from '../http/http-error.ts';
import { pathOf, safeReturnPath } from '../http/return-path.ts';
import { isDecodable } from '../http/url.ts';
import { RedisUnavailable } from '../redis/deadline.ts';
import { discardChanges } from '../session/sign-in.ts';

/** @public for features. */
export const retryAfterSeconds = 5;

// What a visitor reads when the error has no message for visitors.
const messages: Record<number, string> = {
  400: 'The request could not be understood.',
  404: 'There is no page at this address.',
  413: 'That is more than this page accepts.',
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
 * Refuses the methods that a page does not have, and offers the page instead (RFC 9110, 15.5.6).
 * @param methods those that it has, as the header `Allow` names them: `GET, HEAD`
 * @param formPath where the page takes a form only: the path of the page with the form, which is offered instead
 * @throws {HttpError} 405
 */
export function allowOnly(methods: string, formPath?: `/${string}`): RequestHandler {
  const headers = { Allow: methods };
  return function refuseMethod(req, res, next) {
    if (req.method === 'OPTIONS') return void res.set(headers).status(204).end();
    const link = formPath
      ? { href: formPath, label: 'Back to the form' }
      : { href: pathOf(req), label: 'Open the page' };
    next(new HttpError(405, `This page doesn't accept ${req.method} requests.`, { headers, link }));
  };
}

/** What an error page offers, so that it is no dead end. */
export interface ErrorStep extends Pick<HttpErrorDetails, 'link' | 'note'> {
  /** The same page once more. */
  retryUrl?: string;
  /** What the login form holds. `target` is its HTML attribute. */
  loginForm?: { next: string; typed?: string; remember?: boolean; submitLabel?: string; target?: string };
  /** Whether logging in leads back to this page. */
  leadsBack?: boolean;
  /** Whether the browser sent no cookie at all, as one does that refuses them. */
  hasNoCookies?: boolean;
}

export type ErrorPageOptions = Pick<Core, 'log' | 'noteOutage'> & {
  /** Adds what a failed form needs. */
  extendStep?: (step: ErrorStep, status: number, req: Request) => ErrorStep;
};

/**
 * The one place where an error becomes a response: a page, a line of text or JSON. Only the message of an `HttpError`
 * reaches the client; everything else goes to the log, under the request's id (ASVS 16.5.1).
 */
export function errorPage({ log, noteOutage, extendStep = (step) => step }: ErrorPageOptions): ErrorRequestHandler {
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
    // What was said of the page that is not sent, but for Content-Range: a 416 says with it how long the file is.
    const ofPage = /^(content-(?!sec|range)|etag|last-|accept-ranges)/;
    for (const name of res.getHeaderNames()) if (ofPage.test(name)) res.removeHeader(name);
    if (status === 503) res.set('Retry-After', String(retryAfterSeconds));
    res.status(status).set({ 'Cache-Control': 'no-store', ...details.headers });
    const sendText = () => res.type('text').send(`${message}\n`);
    answerAs(req, res, {
      html: () => {
        const step = extendStep(nextStep(status, details, req, res), status, req);
        res.render('error', { status, message, ...step, requestId: req.id }, (err: unknown, html?: string) => {
          if (!err) return void res.send(html);
          // Express's own answer would show the stack.
          log.error({ id: req.id, err }, 'error page failed');
          sendText();
        });
      },
      text: sendText,
      json: () => res.json({ error: message, ...(status >= 500 && { requestId: req.id }) }),
    });
  };
}

function nextStep(status: number, { link, note }: HttpErrorDetails, req: Request, res: Response): ErrorStep {
  const isRead = req.method === 'GET' || req.method === 'HEAD';
  if (status >= 500) return isRead ? { retryUrl: pathOf(req) } : {};
  if (status !== 401) return { link, note };
  // A save may have found out that the session has ended, after the page began as a signed-in one.
  if (req.session?.email === undefined) res.locals.email = undefined;
  return {
    loginForm: { next: safeReturnPath(isRead ? req.originalUrl : undefined), typed: res.locals.email },
    leadsBack: isRead,
    hasNoCookies: req.headers.cookie === undefined,
  };
}

/** The status and the message for visitors. @public for features that answer by themselves. */
export function explain(error: unknown): Pick<HttpError, 'status' | 'message' | 'details'> {
  if (error instanceof HttpError) return error;
  // Errors of the body parser and the router carry a status; any other error is our fault.
  const given = error instanceof Error && 'status' in error ? Number(error.status) : 500;
  const status = error instanceof RedisUnavailable ? 503 : given >= 400 && given < 500 ? given : 500;
  return { status, message: messages[status] ?? messages[400] ?? '', details: {} };
}
