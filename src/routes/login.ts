import type { Request, RequestHandler, Response } from 'express';
import type { Logger } from '../log.ts';
import { parseAddress } from '../login/address.ts';
import { safeNext } from '../login/next.ts';
import { isXhr, preferredAnswer } from '../negotiate.ts';
import { handleOf } from '../session/record.ts';
import { signIn } from '../session/sign-in.ts';

/** The form, or straight on for who is signed in already. */
export const showLogin: RequestHandler = function showLogin(req, res) {
  if (req.session.email !== undefined) return res.redirect(303, safeNext(req.query.next));
  res.render('login', { next: safeNext(req.query.next) });
};

/** Signs in under the address that was typed. */
export function logIn(log: Logger): RequestHandler {
  return async function logIn(req, res) {
    const form = readForm(req);
    const address = parseAddress(form.email);
    if ('problem' in address) {
      log.info({ id: req.id, reason: 'not an address' }, 'sign-in refused');
      return refuse(req, res, form, address.problem);
    }
    await signIn(req, address.email, { remember: form.remember });
    log.info({ id: req.id, session: handleOf(req.sessionID) }, 'signed in');
    answerDone(req, res, form.next);
  };
}

type LoginForm = { email: unknown; remember: boolean; next: string };

// Own fields only: a body may name `__proto__`, and other fields, such as a `pass`, are never looked at.
function readForm(req: Request): LoginForm {
  const body: unknown = req.body;
  const field = (name: string): unknown =>
    typeof body === 'object' && body !== null && Object.hasOwn(body, name) ? Reflect.get(body, name) : undefined;
  const remember = field('remember');
  return {
    email: field('email'),
    remember: remember === 'on' || remember === true,
    next: safeNext(field('next') ?? req.query.next),
  };
}

function refuse(req: Request, res: Response, form: LoginForm, problem: string): void {
  res.status(422).vary('Accept').vary('X-Requested-With');
  const answer = preferredAnswer(req);
  if (answer === 'text') res.type('text').send(`${problem}\n`);
  else if (answer === 'json') res.json({ error: problem, field: 'email' });
  else {
    const typed = typeof form.email === 'string' ? form.email : '';
    res.render('login', { next: form.next, remember: form.remember, typed, problem });
  }
}

function answerDone(req: Request, res: Response, next: string): void {
  res.vary('Accept').vary('X-Requested-With');
  const answer = preferredAnswer(req);
  if (isXhr(req) || answer === 'text') res.type('text').send('done');
  else if (answer === 'json') res.json({ status: 'done', next });
  else res.redirect(303, next);
}
