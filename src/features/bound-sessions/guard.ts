import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { SessionData } from 'express-session';
import { now } from '../../clock.ts';
import { answerAs } from '../../http/content-negotiation.ts';
import { HttpError } from '../../http/http-error.ts';
import { pathOf } from '../../http/return-path.ts';
import { SessionEnded } from '../../session/commands.ts';
import { cookieAttributes } from '../../session/cookie.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import { type Binding, bindingOf, confirmBinding } from './binding.ts';
import type { CookieState } from './bound-cookie.ts';
import type { Reason } from './refusals.ts';
import { type BoundParts, registrationHeader } from './routes.ts';

/** After a sign-in, requests may still be on their way that were sent before the browser had its bound cookie. */
export const graceSeconds = 8;
/** Within its first minute, a session without proof is more likely one whose registration is slow than a stolen one. */
const newSeconds = 60;
/**
 * How long the waiting page waits, each time that it comes back: soon at first, and in all for as long as a browser that
 * has signed too often has to wait, nine minutes in Chromium.
 */
export const waitSeconds = [5, 5, 10, 20, 30, 60, 60, 60, 60, 60, 60, 60, 60];

/**
 * For so long, an owner's browser may come without proof before that counts as somebody's try: as long as proofs may be
 * skipped, and otherwise far longer than one takes.
 */
export const skippedPatienceMs = 600_000;
export const usualPatienceMs = 30_000;

type Without = Exclude<CookieState, 'good'>;

const reasonOf: Record<Without, Reason> = {
  missing: 'no bound cookie',
  expired: 'bound cookie expired',
  wrong: 'bound cookie wrong',
};

/**
 * Lets a bound session count only together with its bound cookie. Without it nobody is signed in for this request, but the
 * session and its cookie stay as they are: it may be the owner who is asking. Takes no Redis command.
 * @param origin of this site
 */
export function requireBoundCookie(parts: BoundParts, origin: string): RequestHandler {
  const { cookies } = parts;

  return function requireBoundCookie(req, res, next) {
    const { email, signedInAt = 0 } = req.session;
    const binding = email === undefined ? undefined : bindingOf(req.session);
    if (email === undefined || binding === undefined) return letPass(parts, { req, res, next, wasBound: false });
    const state = cookies.check(req, req.sessionID, binding.key);
    const isProved = state === 'good';
    // Neither way: after a clock has been set back, the grace would last for as long.
    const isNeeded = binding.isConfirmed && Math.abs(now() - signedInAt) >= graceSeconds * 1000;
    if (!isProved && isNeeded) return answerWithoutProof(parts, origin, { req, res, next, state, email });
    if (isProved && cookies.readAttempts(req) > 0) cookies.clearAttempts(res);
    const pass = () => letPass(parts, { req, res, next, wasBound: true });
    return isProved && !binding.isConfirmed ? confirm(parts, req, binding).then(pass) : pass();
  };
}

/** The browser knows of the binding now, so from here on the session takes proof. */
async function confirm({ redis, log }: BoundParts, req: Request, binding: Binding): Promise<void> {
  try {
    await confirmBinding(redis, req.sessionID, binding);
  } catch (err) {
    // The next request tries again.
    log.error({ id: req.id, err }, 'binding of a session not confirmed');
  }
}

type Visit = { req: Request; res: Response; next: NextFunction; state: Without; email: EmailAddress };

async function answerWithoutProof(parts: BoundParts, origin: string, visit: Visit): Promise<void> {
  const { cookies, refusals } = parts;
  const { req, res, next, state, email } = visit;
  const { signedInAt = 0, remember = false } = req.session;
  const skipped = skippedReason(req);
  const isNew = now() - signedInAt < newSeconds * 1000;
  const isDoubtful = state === 'expired' || skipped !== undefined || isNew;
  const patienceMs = skipped !== undefined ? skippedPatienceMs : isDoubtful ? usualPatienceMs : 0;
  const refused = { sessionId: req.sessionID, email, signedInAt, remember };
  await refusals.record(req, refused, { reason: reasonOf[state], patienceMs, skipped });

  forgetSession(req);
  const attempts = cookies.readAttempts(req);
  const isLogin = req.path.startsWith('/login');
  const isRepeated = !isLogin && (isDoubtful || state === 'wrong');
  const waits = isRepeated && skipped !== undefined ? waitSeconds[attempts] : undefined;
  if (waits !== undefined) {
    cookies.noteAttempts(res, attempts + 1);
    return askToWait(req, res, next, waits);
  }
  if (isRepeated && skipped === undefined && attempts === 0) {
    cookies.noteAttempts(res, 1);
    // Without the cookie, the browser proves its key before it follows, with the same body (webappsec-dbsc, section 5).
    cookies.clear(res);
    return res.redirect(307, origin + pathOf(req));
  }
  letPass(parts, { req, res, next, wasBound: false });
}

/** Why the browser sends no bound cookie, as far as it says so; anybody else can say so as well. */
function skippedReason(req: Request): string | undefined {
  const header = req.headers['secure-session-skipped'];
  return /^(?:quota_exceeded|server_error|unreachable)\b/.exec(String(header))?.[0];
}

/**
 * For this request, the visitor has no session. The one in the cookie stays in Redis, and its cookie in the browser: an
 * anonymous one in its place would sign the owner out, so nothing can be kept here.
 */
function forgetSession(req: Request): void {
  const blank = { cookie: { ...cookieAttributes(true), originalMaxAge: null } } as SessionData;
  const session = req.sessionStore.createSession(req, blank);
  Object.defineProperty(session, 'save', { value: (done: (error: unknown) => void) => done(new SessionEnded()) });
}

/** The browser can't prove its key just now; in a few seconds it can. */
function askToWait(req: Request, res: Response, next: NextFunction, seconds: number): void {
  const message = 'Your browser could not prove just now that this is your device. Please try again in a few seconds.';
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    next(new HttpError(401, message));
    return;
  }
  // `Refresh` loads the page again without a script.
  const again = { 'Retry-After': String(seconds), Refresh: String(seconds) };
  res.status(401).set({ 'Cache-Control': 'no-store', ...again });
  answerAs(req, res, {
    html: () => res.render('bound-sessions/wait', { url: pathOf(req) }),
    text: () => res.type('text').send(`${message}\n`),
    json: () => res.json({ error: message }),
  });
}

type Passing = { req: Request; res: Response; next: NextFunction; wasBound: boolean };

/**
 * Goes on, and asks the browser in the answer to a sign-in, and in no other, to bind the session: whoever has stolen a
 * session does not get there. Takes the bound cookie back when its session has ended.
 */
function letPass({ challenges, cookies }: BoundParts, { req, res, next, wasBound }: Passing): void {
  const { sessionID: idBefore } = req;
  const { writeHead } = res;
  res.writeHead = ((...args: unknown[]) => {
    const { session } = req;
    if (session?.email === undefined) {
      if (wasBound) cookies.clear(res);
    } else if (req.sessionID !== idBefore && !bindingOf(session)) {
      res.setHeader('Secure-Session-Registration', registrationHeader(challenges, req.sessionID));
    }
    return Reflect.apply(writeHead, res, args);
  }) as Response['writeHead'];
  next();
}
