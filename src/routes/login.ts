import type { Request, RequestHandler, Response } from 'express';
import type { Core, SignInWay } from '../core.ts';
import { announceOutcomes } from '../diagnostics.ts';
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

/** Answers a client that signs in too often, and says whether it did. */
export type RefuseTooOften = (req: Request, res: Response, form: LoginForm, email: EmailAddress) => Promise<boolean>;

/** Signs in, or answers a form that was sent before; says whether somebody is signed in. */
export type SignInOnce = (req: Request, res: Response, form: LoginForm, email: EmailAddress) => Promise<boolean>;

/** How a sign-in without proof goes. */
export type TrustOptions = Core & { refuseTooOften?: RefuseTooOften; signInOnce?: SignInOnce };

/** Signs in under the address that was typed, which nothing proves. */
export function trust(options: TrustOptions): SignInWay {
  const { isAllowed, log, refuseTooOften, signInOnce = signInEachTime } = options;
  announceOutcomes('signed in', 'not an address', 'not in ALLOWED_EMAILS');
  const begin: RequestHandler = async function trustAddress(req, res) {
    const form = readLoginForm(req);
    const address = parseAddress(form.email);
    if ('problem' in address) {
      auditRefused(log, req, 'not an address');
      return refuseAddress(req, res, form, address.problem);
    }
    if (!isAllowed(address.email)) {
      auditRefused(log, req, 'not in ALLOWED_EMAILS', address.email);
      return refuseAddress(req, res, form, 'This address may not log in here.');
    }
    const { email } = address;
    if (await refuseTooOften?.(req, res, form, email)) return;
    if (await signInOnce(req, res, form, email)) answerDone(req, res, form.next);
  };
  const note = 'This site is in trust mode: it believes whatever address you enter.';
  return { form: { button: 'Log in', note }, begin };
}

const signInEachTime: SignInOnce = async (req, _res, { remember }, email) => {
  await signIn(req, email, { remember });
  return true;
};

/** What the login form says. */
export type LoginForm = { email: unknown; remember: boolean; next: string };

/** Reads the login form; other fields, such as a `pass`, are never looked at. */
export function readLoginForm(req: Request): LoginForm {
  const remember = bodyField(req, 'remember');
  return {
    email: bodyField(req, 'email'),
    remember: remember === 'on' || remember === true,
    next: safeReturnPath(bodyField(req, 'next') ?? req.query.next),
  };
}

/** The form once more, with what is wrong at the field, and what was typed. */
export function refuseAddress(req: Request, res: Response, form: LoginForm, problem: string): void {
  const typed = typedAddress(form.email);
  res.status(422);
  answerAs(req, res, {
    html: () => res.render('login', { next: form.next, remember: form.remember, typed, problem }),
    text: () => res.type('text').send(`${problem}\n`),
    json: () => res.json({ error: problem, field: 'email' }),
  });
}

/** What the field of the form shows again. */
export function typedAddress(email: unknown): string {
  return typeof email === 'string' ? email : '';
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
