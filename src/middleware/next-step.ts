import type { Request, Response } from 'express';
import type { HttpErrorDetails } from '../http/http-error.ts';
import { safeReturnPath } from '../http/return-path.ts';
import { parseUrl } from '../http/url.ts';
import { readLoginForm } from '../routes/login.ts';

type Fields = [name: string, value: string][];

/** What an error page offers, so that it is no dead end and nothing that was typed is lost. */
export type NextStep = Pick<HttpErrorDetails, 'link' | 'loginUrl'> & {
  /** The login form; `retries` where it was sent already, and failed. */
  loginForm?: { next: string; typed?: string; remember?: boolean; opensTab?: boolean; retries?: boolean };
  /** Whether the browser sent no cookie at all, as one does that refuses them. */
  hasNoCookies?: boolean;
  /** The form whose session had ended, to be sent again after logging in. */
  resend?: { action: string; fields: Fields } | undefined;
  /** The same request once more. */
  retry?: { method: 'get' | 'post'; action: string; fields: Fields };
};

/** The next step after an error. What was sent is repeated only to a page of this site: see `sameOrigin()`. */
export function nextStep(status: number, details: HttpErrorDetails, req: Request, res: Response): NextStep {
  if (status === 401) return loginStep(req, res);
  if (status >= 500) return retryStep(req);
  const { link, loginUrl } = details;
  return { ...(link && { link }), ...(loginUrl !== undefined && { loginUrl }) };
}

// A form that outlived its session is kept on the page with all that was typed; logging in then happens in another tab.
function loginStep(req: Request, res: Response): NextStep {
  // A save may have found out that the session has ended, after the page began as a signed-in one.
  if (req.session?.email === undefined) Reflect.deleteProperty(res.locals, 'email');
  const fields = sentFields(req);
  const resend = fields.length > 0 ? { action: ownPath(req), fields } : undefined;
  const typed: unknown = res.locals.email;
  return {
    loginForm: {
      next: safeReturnPath(isRead(req) ? req.originalUrl : pageOfForm(req)),
      ...(typeof typed === 'string' && { typed }),
      opensTab: resend !== undefined,
    },
    hasNoCookies: req.headers.cookie === undefined,
    resend,
  };
}

function retryStep(req: Request): NextStep {
  const action = ownPath(req);
  if (isRead(req)) return { retry: { method: 'get', action, fields: [] } };
  if (/^\/login\/?$/i.test(req.path)) {
    const { email, next, remember } = readLoginForm(req);
    return { loginForm: { next, remember, typed: typeof email === 'string' ? email : '', retries: true } };
  }
  return req.method === 'POST' ? { retry: { method: 'post', action, fields: sentFields(req) } } : {};
}

function sentFields(req: Request): Fields {
  if (isRead(req) || !req.is('urlencoded')) return [];
  const body: object = req.body ?? {};
  return Object.entries(body).flatMap(([name, values]) =>
    [values].flat().map((value): [string, string] => [name, String(value)]),
  );
}

/** Where this request went, as a link that leads to this site: a target may begin with two slashes, or name a host. */
export function ownPath(req: Request): string {
  return `/${req.originalUrl.replace(/^[/\\]+/, '')}`;
}

// The target of a form need not be a page itself. Only the path is used, so a forged Referer leads nowhere else.
function pageOfForm(req: Request): string | undefined {
  const { referer = '' } = req.headers;
  const page = parseUrl(referer);
  return page?.host === req.host ? page.pathname + page.search : undefined;
}

function isRead(req: Request): boolean {
  return req.method === 'GET' || req.method === 'HEAD';
}
