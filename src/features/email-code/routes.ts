import type { Request, RequestHandler, Response } from 'express';
import type { SessionLimits } from '../../config.ts';
import type { LoginNotice } from '../../core.ts';
import { answerAs } from '../../http/content-negotiation.ts';
import { HttpError } from '../../http/http-error.ts';
import { isLoopback } from '../../http/url.ts';
import { describeDevice } from '../../http/user-agent.ts';
import type { Logger } from '../../log.ts';
import { bodyField } from '../../middleware/bodies.ts';
import { RedisUnavailable } from '../../redis/connect.ts';
import { answerDone, readLoginForm, refuseAddress } from '../../routes/login.ts';
import { auditRefused, auditSignedIn } from '../../session/audit-log.ts';
import { cookieAttributes, prefixedName, readCookie } from '../../session/cookie.ts';
import { displayAddress } from '../../session/display-address.ts';
import { parseAddress } from '../../session/email-address.ts';
import { absoluteEndOf } from '../../session/lifetime.ts';
import { tagOf } from '../../session/record.ts';
import { requireSecure, signIn } from '../../session/sign-in.ts';
import type { Mailer } from '../mail/mailer.ts';
import { auditMailWithheld } from './audit-log.ts';
import { type Challenge, type Challenges, codeSeconds, readCode } from './challenges.ts';
import type { KnownBrowsers } from './known-browsers.ts';
import type { MailTemplates } from './mail-templates.ts';
import type { RateLimits } from './rate-limits.ts';
import type { RevocationLinks } from './revocation-links.ts';

/** What sign-in by code is made of. */
export type CodeLogin = {
  challenges: Challenges;
  rateLimits: RateLimits;
  knownBrowsers: KnownBrowsers;
  mailer: Mailer;
  mails: MailTemplates;
  revocationLinks: RevocationLinks;
  isAllowed: (email: string) => boolean;
  limits: SessionLimits;
  /** Whether only some addresses may sign in. */
  hasAllowList: boolean;
  /** Whether mail is caught instead of sent, and can be read at `/dev/mails`. */
  isCaught: boolean;
  /** The site's public origin; in development perhaps undefined, and then a loopback one. */
  origin: string | undefined;
  https: boolean;
  log: Logger;
};

const codePath = '/login/code';

/** Finds the sign-in that is waiting for its code in this browser. Without Redis there is nothing to mention. */
export function findWaitingCode(parts: CodeLogin): (req: Request) => Promise<LoginNotice | undefined> {
  return async function findWaitingCode(req) {
    const waiting = await parts.challenges.find(readCookie(req, nameOf(parts))).catch(ifUnavailable);
    if (!waiting) return undefined;
    const typed = displayAddress(waiting.email);
    const { remember } = waiting;
    return { text: `You asked for a code for ${typed}.`, href: codePath, label: 'Enter the code', typed, remember };
  };
}

function ifUnavailable(error: unknown): undefined {
  if (!(error instanceof RedisUnavailable)) throw error;
}

/** Mails a code to the address that was typed, and asks for it. */
export function askForCode(parts: CodeLogin): RequestHandler {
  return async function askForCode(req, res) {
    const form = readLoginForm(req);
    const address = parseAddress(form.email);
    if ('problem' in address) {
      auditRefused(parts.log, req, 'not an address');
      return refuseAddress(req, res, form, address.problem);
    }
    await sendCode(parts, req, res, { email: address.email, remember: form.remember, next: form.next });
    answerCodeNeeded(req, res, codePath);
  };
}

/** Mails a new code for the sign-in that waits in this browser. */
export function askForCodeAgain(parts: CodeLogin): RequestHandler {
  return async function askForCodeAgain(req, res) {
    const waiting = await parts.challenges.find(readCookie(req, nameOf(parts)));
    if (!waiting) return answerOver(parts, req, res);
    await sendCode(parts, req, res, waiting);
    answerCodeNeeded(req, res, `${codePath}?sent=again`);
  };
}

/** Asks for the code; in a browser that did not ask for one, shows the one that a mail's link brought. */
export function showCodeForm(parts: CodeLogin): RequestHandler {
  return async function showCodeForm(req, res) {
    const waiting = await parts.challenges.find(readCookie(req, nameOf(parts)));
    renderCodeForm(parts, res, { waiting, sentAgain: req.query.sent === 'again' });
  };
}

/** Signs in under the waiting address when the code is right. */
export function enterCode(parts: CodeLogin): RequestHandler {
  const { challenges, rateLimits, knownBrowsers, isAllowed, log } = parts;

  return async function enterCode(req, res) {
    const id = readCookie(req, nameOf(parts));
    const waiting = await challenges.find(id);
    if (id === undefined || !waiting) {
      auditRefused(log, req, 'no code is waited for');
      return answerOver(parts, req, res);
    }
    const code = readCode(bodyField(req, 'code'));
    if (code === undefined) {
      auditRefused(log, req, 'not a code', waiting.email);
      return answerProblem(parts, req, res, waiting, 'Enter the eight digits of the code.');
    }
    const deviceId = await knownBrowsers.idFor(req, waiting.email);
    await orRefuse(parts, req, waiting.email, rateLimits.countGuess(req.ip, deviceId));
    const mayGuess = await rateLimits.mayGuess(waiting.email, deviceId);
    // What may not be guessed is answered as a wrong guess, or the answer would tell of others who entered codes for
    // this address. No code is empty.
    const attempt = await challenges.attempt(id, mayGuess ? code : '');
    if (attempt.outcome === 'wrong') {
      auditRefused(log, req, mayGuess ? 'wrong code' : 'enough guesses for now', waiting.email);
      return answerProblem(parts, req, res, waiting, `That is not the code. ${triesWords(attempt.triesLeft)}`);
    }
    // The list is asked again: it may have changed since the code was mailed.
    if (attempt.outcome === 'over' || !isAllowed(attempt.challenge.email)) {
      auditRefused(log, req, 'code no longer good', waiting.email);
      return answerOver(parts, req, res, waiting);
    }
    await completeSignIn(parts, req, res, attempt.challenge, deviceId);
  };
}

async function completeSignIn(
  parts: CodeLogin,
  req: Request,
  res: Response,
  challenge: Challenge,
  knownId: string | undefined,
): Promise<void> {
  const { knownBrowsers, log } = parts;
  const { email, remember, next } = challenge;
  const askedWith = challenge.deviceId && (await knownBrowsers.rememberedId(challenge.deviceId, email));
  const deviceId = knownId ?? askedWith;
  await signIn(req, email, { remember });
  auditSignedIn(log, req, email);
  const rememberedId = knownBrowsers.remember(req, res, email, deviceId);
  if (deviceId === undefined) await sendNotice(parts, req, { email, remember, deviceId: rememberedId });
  res.clearCookie(nameOf(parts), cookieAttributes(parts.https));
  answerDone(req, res, next);
}

// Whether a mail leaves shows in nothing that the visitor gets: not in the page, the status or the headers, and
// not in the time either, since the same commands are sent to Redis, and mail is written after the answer.
async function sendCode(parts: CodeLogin, req: Request, res: Response, challenge: Challenge): Promise<void> {
  const { challenges, rateLimits, knownBrowsers, mailer, mails, isAllowed, log } = parts;
  const { email } = challenge;
  if (parts.https) requireSecure(req);
  const deviceId = await knownBrowsers.idFor(req, email);
  await orRefuse(parts, req, email, rateLimits.countAsk(req.ip, deviceId));
  const refusal = await rateLimits.checkMailLimits(email, { listed: isAllowed(email), deviceId });
  const willBeMailed = refusal === undefined;
  const previousId = readCookie(req, nameOf(parts));
  const { id, code } = await challenges.start({ ...challenge, deviceId }, { willBeMailed, previousId });
  res.cookie(nameOf(parts), id, { ...cookieAttributes(parts.https), maxAge: codeSeconds * 1000 });

  const device = describeDevice(req.headers['user-agent'] ?? '');
  const origin = originOf(parts, req);
  const about = { id: req.id, person: tagOf(email), mail: 'code' };
  afterAnswer(res, () => {
    if (refusal) auditMailWithheld(log, req, refusal, email);
    else void mailer.send(mails.code({ to: email, code, device, origin, now: Date.now() }), about);
  });
}

/** Waits for the count of what a client did, and notes it when that was too often. */
async function orRefuse(parts: CodeLogin, req: Request, email: string, counting: Promise<void>): Promise<void> {
  try {
    await counting;
  } catch (error) {
    if (error instanceof HttpError) auditRefused(parts.log, req, 'too often', email);
    throw error;
  }
}

// A visitor who went away while Redis was asked has closed the response already.
function afterAnswer(res: Response, work: () => void): void {
  if (res.closed) work();
  else res.once('close', work);
}

// Its owner's warning must not cost a visitor the sign-in that is stored already.
async function sendNotice(
  parts: CodeLogin,
  req: Request,
  signedIn: { email: string; remember: boolean; deviceId: string },
): Promise<void> {
  const { email, remember, deviceId } = signedIn;
  const origin = originOf(parts, req);
  const about = { id: req.id, person: tagOf(email), mail: 'notice' };
  try {
    const now = Date.now();
    const endsAt = absoluteEndOf({ signedInAt: now, remember }, parts.limits);
    const endUrl = `${origin}/end-session?token=${await parts.revocationLinks.create({ sessionId: req.sessionID, deviceId }, endsAt)}`;
    const device = req.session.device ?? 'A browser';
    void parts.mailer.send(parts.mails.notice({ to: email, device, endUrl, now }), about);
  } catch (error) {
    parts.log.error({ ...about, err: error }, 'notice of a new browser not sent');
  }
}

function answerCodeNeeded(req: Request, res: Response, page: string): void {
  answerAs(req, res, {
    html: () => res.redirect(303, page),
    text: () => res.status(202).type('text').send('code needed\n'),
    json: () => res.status(202).json({ status: 'code needed', enterAt: codePath }),
  });
}

function answerProblem(parts: CodeLogin, req: Request, res: Response, waiting: Challenge, problem: string): void {
  res.status(422);
  answerAs(req, res, {
    html: () => renderCodeForm(parts, res, { waiting, problem }),
    text: () => res.type('text').send(`${problem}\n`),
    json: () => res.json({ error: problem, field: 'code' }),
  });
}

type CodeForm = { waiting: Challenge | undefined; problem?: string; sentAgain?: boolean };

function renderCodeForm({ hasAllowList, isCaught }: CodeLogin, res: Response, form: CodeForm): void {
  res.render('email-code/code', { ...form, hasAllowList, catchesMail: isCaught });
}

function answerOver(parts: CodeLogin, req: Request, res: Response, waiting?: Challenge): void {
  const notice = 'That code can no longer be used. Ask for a new one here.';
  const { email, next, remember } = waiting ?? {};
  const typed = email && displayAddress(email);
  res.status(422).clearCookie(nameOf(parts), cookieAttributes(parts.https));
  answerAs(req, res, {
    html: () => res.render('login', { notice, typed, next, remember }),
    text: () => res.type('text').send(`${notice}\n`),
    json: () => res.json({ error: notice, startAt: '/login' }),
  });
}

function triesWords(triesLeft: number): string {
  const words = ['', 'one try', 'two tries', 'three tries'];
  return `You have ${words[triesLeft] ?? 'four tries'} left.`;
}

function nameOf(parts: CodeLogin): string {
  return prefixedName('login', parts.https);
}

// The `Host` header is the client's word. In somebody else's mail it could lead anywhere, and take the code along.
function originOf(parts: CodeLogin, req: Request): string {
  const asked = `http${req.secure ? 's' : ''}://${req.host}`;
  const url = URL.canParse(asked) ? new URL(asked) : undefined;
  const own = url && isLoopback(url.hostname) ? url.origin : `http://localhost:${req.socket.localPort ?? ''}`;
  return parts.origin ?? own;
}
