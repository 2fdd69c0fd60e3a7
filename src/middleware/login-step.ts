import type { Request, Response } from 'express';
import { safeReturnPath } from '../http/return-path.ts';

/** What the page of a 401 offers: the login form, and the form whose session has ended, to be sent again. */
export type LoginStep = {
  loginForm: { next: string; typed?: string; opensTab: boolean };
  resend?: { action: string; fields: [name: string, value: string][] } | undefined;
};

/**
 * The next step of a visitor who must log in. A form that outlived its session is kept on the page with all that was
 * typed into it; logging in then happens in another tab.
 */
export function loginStep(req: Request, res: Response): LoginStep {
  // A save may have found out that the session has ended, after the page began as a signed-in one.
  if (req.session?.email === undefined) Reflect.deleteProperty(res.locals, 'email');
  const resend = sentForm(req);
  const typed: unknown = res.locals.email;
  return {
    loginForm: {
      next: safeReturnPath(isRead(req) ? req.originalUrl : pageOfForm(req)),
      ...(typeof typed === 'string' && { typed }),
      opensTab: resend !== undefined,
    },
    resend,
  };
}

function sentForm(req: Request): LoginStep['resend'] {
  if (isRead(req) || !req.is('urlencoded')) return undefined;
  const body: object = req.body ?? {};
  const fields = Object.entries(body).flatMap(([name, values]) =>
    [values].flat().map((value): [string, string] => [name, String(value)]),
  );
  return fields.length > 0 ? { action: req.originalUrl, fields } : undefined;
}

// The target of a form need not be a page itself. Only the path is used, so a forged Referer leads nowhere else.
function pageOfForm(req: Request): string | undefined {
  const { referer = '' } = req.headers;
  const page = URL.canParse(referer) ? new URL(referer) : undefined;
  return page?.host === req.host ? page.pathname + page.search : undefined;
}

function isRead(req: Request): boolean {
  return req.method === 'GET' || req.method === 'HEAD';
}
