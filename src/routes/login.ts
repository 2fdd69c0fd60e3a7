import type { Request, RequestHandler, Response } from 'express';
import type { Core, SignInWay } from '../core.ts';
import { answerAs, isXhr } from '../http/content-negotiation.ts';
import { safeReturnPath } from '../http/return-path.ts';
import { bodyField } from '../middleware/bodies.ts';
import { type EmailAddress, parseAddress } from '../session/email-address.ts';
import { auditRefused, signIn } from '../session/sign-in.ts';

/** Shows the form; redirects if already signed in. */
export const showLogin: RequestHandler = function showLogin(req, res) {
  const next = safeReturnPath(req.query.next);
  if (req.session.email !== undefined) res.redirect(303, next);
  else res.render('login', { next });
};

/** What the login form says; `email` is whatever was typed. */
export type LoginForm = { email: string; remember: boolean; next: string };

/** A step before an address that was typed is signed in. Returns whether to go on, and answers the request if not. */
export type SignInStep = (req: Request, res: Response, form: LoginForm, email: EmailAddress) => Promise<boolean>;

/** Signs in under the address that was typed, which nothing proves, after these steps. */
export function trust({ isAllowed, log }: Core, steps: SignInStep[]): SignInWay {
  const begin: RequestHandler = async function trustAddress(req, res) {
    const form = readLoginForm(req);
    const address = parseAddress(form.email);
    if ('problem' in address) {
      auditRefused(log, req, 'not an address');
      return refuseAddress(req, res, form, address.problem);
    }
    const { email } = address;
    if (!isAllowed(email)) {
      auditRefused(log, req, 'not in ALLOWED_EMAILS', email);
      return refuseAddress(req, res, form, 'This address may not log in here.');
    }
    for (const step of steps) if (!(await step(req, res, form, email))) return;
    await signIn(req, email, { remember: form.remember });
    answerDone(req, res, form.next);
  };
  const note = 'This site is in trust mode: it believes whatever address you enter.';
  return { form: { button: 'Log in', note }, begin };
}

/** Reads the login form; other fields, such as a `pass`, are never looked at. */
export function readLoginForm(req: Request): LoginForm {
  const email = bodyField(req, 'email');
  const remember = bodyField(req, 'remember');
  return {
    email: typeof email === 'string' ? email : '',
    remember: remember === 'on' || remember === true,
    next: safeReturnPath(bodyField(req, 'next') ?? req.query.next),
  };
}

/** The form once more, with what is wrong at the field, and what was typed. */
export function refuseAddress(req: Request, res: Response, { email: typed, ...form }: LoginForm, error: string): void {
  res.status(422);
  answerAs(req, res, {
    html: () => res.render('login', { ...form, typed, problem: error }),
    text: () => res.type('text').send(`${error}\n`),
    json: () => res.json({ error, field: 'email' }),
  });
}

/** The answer to a sign-in that is stored. The older client reads `done`, whatever it says to accept. */
export function answerDone(req: Request, res: Response, next: string): void {
  const done = () => res.type('text').send('done');
  answerAs(req, res, {
    html: () => res.redirect(303, req.app.locals.pageAfterSignIn?.(req, res, next) ?? next),
    text: done,
    json: () => (isXhr(req) ? done() : res.json({ status: 'done', next })),
  });
}
