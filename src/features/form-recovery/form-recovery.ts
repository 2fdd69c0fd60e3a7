import type { Request } from 'express';
import { pathOf, safeReturnPath } from '../../http/return-path.ts';
import { parseUrl } from '../../http/url.ts';
import type { ErrorStep } from '../../middleware/errors.ts';
import { readLoginForm } from '../../routes/login.ts';

/** A view on the error page, and what it reads as `locals`. */
type Addition = { view: string; data: object };

declare module '../../middleware/errors.ts' {
  interface ErrorStep {
    /** Below the text. */
    section?: Addition;
    /** Beside the links. */
    action?: Addition;
  }
}

/**
 * Keeps what was typed into a form that failed, on the error page. A form whose session had ended can be sent again
 * after logging in, which happens in another tab; one that failed on our side is sent again with a button. What was sent
 * is repeated only to a page of this site: see `sameOrigin()`.
 */
export function recoverForm(step: ErrorStep, status: number, req: Request): ErrorStep {
  if (req.method !== 'POST') return step;
  if (status === 401) return afterLogin(step, req);
  // What was sent is not here: a file, or more than this site reads. A button would send an empty form.
  if (status === 413 || (status >= 500 && req.is('multipart'))) return leadBack(step, req);
  return status >= 500 ? retry(req) : step;
}

function afterLogin(step: ErrorStep, req: Request): ErrorStep {
  const loginForm = { ...step.loginForm, next: safeReturnPath(pageOfForm(req)) };
  const fields = sentFields(req);
  if (fields.length === 0) return { ...step, loginForm, leadsBack: true };
  const submitLabel = `${req.app.locals.signInForm?.button} (opens a new tab)`;
  return {
    ...step,
    loginForm: { ...loginForm, submitLabel, target: '_blank' },
    section: { view: 'form-recovery/resend', data: { action: pathOf(req), fields } },
  };
}

function leadBack(step: ErrorStep, req: Request): ErrorStep {
  // Two slashes would lead to another site.
  const href = pageOfForm(req)?.replace(/^\/+/, '/');
  return href === undefined ? step : { ...step, link: { href, label: 'Back to the form' } };
}

function retry(req: Request): ErrorStep {
  if (/^\/login\/?$/i.test(req.path)) {
    const { email, next, remember } = readLoginForm(req);
    return { loginForm: { next, remember, typed: email, submitLabel: 'Try again' } };
  }
  return { action: { view: 'form-recovery/retry', data: { action: pathOf(req), fields: sentFields(req) } } };
}

function sentFields(req: Request): [name: string, value: string][] {
  if (!req.is('urlencoded')) return [];
  const body: object = req.body ?? {};
  return Object.entries(body).flatMap(([name, values]) =>
    [values].flat().map((value): [string, string] => [name, String(value)]),
  );
}

// The target of a form need not be a page itself. Only the path is used, so a forged Referer leads nowhere else.
function pageOfForm(req: Request): string | undefined {
  const page = parseUrl(req.headers.referer ?? '');
  // HTTP/1.0 may leave out the host. Other protocols take a backslash for a part of the path, which browsers don't.
  return page && page.host === req.host && /^https?:$/.test(page.protocol) ? page.pathname + page.search : undefined;
}
