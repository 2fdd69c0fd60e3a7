import type { Request, RequestHandler, Response } from 'express';
import type { Core, SignInWay } from '../core.ts';
import { clientCounters } from '../http/client-networks.ts';
import { answerAs, isXhr } from '../http/content-negotiation.ts';
import { safeReturnPath } from '../http/return-path.ts';
import { bodyField } from '../middleware/bodies.ts';
import { takePoints } from '../redis/rate-limit.ts';
import { auditRefused, auditSignedIn } from '../session/audit-log.ts';
import { type EmailAddress, parseAddress } from '../session/email-address.ts';
import { signIn } from '../session/sign-in.ts';

/** Shows the form; redirects if already signed in. */
export function showLogin({ findLoginNotice }: SignInWay): RequestHandler {
  return async function showLogin(req, res) {
    const next = safeReturnPath(req.query.next);
    if (req.session.email !== undefined) return res.redirect(303, next);
    const loginNotice = await findLoginNotice?.(req);
    res.render('login', { ...loginNotice, next, loginNotice });
  };
}

/** Signs in; resolves to false for a form that was sent before, if the session that it began has ended. */
export type SignInOnce = (req: Request, email: EmailAddress, remember: boolean) => Promise<boolean>;

/** Signs in under the address that was typed, which nothing proves. */
export function trust(options: Core & { signInOnce?: SignInOnce }): SignInWay {
  const { config, redis, isAllowed, log, signInOnce = signInAndAudit } = options;

  async function signInAndAudit(req: Request, email: EmailAddress, remember: boolean): Promise<boolean> {
    await signIn(req, email, { remember });
    auditSignedIn(log, req, email);
    return true;
  }

  const limits = [{ points: config.signInsPerDay, seconds: 86_400 }];
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
    const waitMs = await takePoints(redis, clientCounters('sign-in', req.ip, limits));
    if (waitMs > 0) {
      auditRefused(log, req, 'too often', address.email);
      return answerTooOften(req, res, form, Math.ceil(waitMs / 1000));
    }
    if (!(await signInOnce(req, address.email, form.remember))) {
      auditRefused(log, req, 'form sent before', address.email);
      return refuseAddress(req, res, form, 'This form was sent before. Please log in again.');
    }
    answerDone(req, res, form.next);
  };
  const note = 'This site is in trust mode: it believes whatever address you enter.';
  return { form: { button: 'Log in', note }, begin };
}

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

/** The form once more, for a client that has to wait (RFC 6585, 4). */
export function answerTooOften(req: Request, res: Response, form: LoginForm, waitSeconds: number): void {
  const notice = tooOftenText(waitSeconds);
  const { next, remember, email } = form;
  res.status(429).set('Retry-After', String(waitSeconds));
  answerAs(req, res, {
    html: () => res.render('login', { next, remember, typed: typedAddress(email), notice }),
    text: () => res.type('text').send(`${notice}\n`),
    json: () => res.json({ error: notice }),
  });
}

/** What a client reads that has to wait. */
export function tooOftenText(waitSeconds: number): string {
  const minutes = Math.ceil(waitSeconds / 60);
  const hours = Math.ceil(minutes / 60);
  const wait = minutes === 1 ? 'a minute' : minutes < 120 ? `${minutes} minutes` : `${hours} hours`;
  return `Too many attempts. Please try again in ${wait}.`;
}

function typedAddress(email: unknown): string {
  return typeof email === 'string' ? email : '';
}

/** The answer to a sign-in that is stored. The older client reads `done`, whatever it says to accept. */
export function answerDone(req: Request, res: Response, next: string): void {
  const done = () => res.type('text').send('done');
  answerAs(req, res, {
    html: () => res.redirect(303, next),
    text: done,
    json: () => (isXhr(req) ? done() : res.json({ status: 'done', next })),
  });
}
