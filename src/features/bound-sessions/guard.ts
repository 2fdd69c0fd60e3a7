import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { SessionData } from 'express-session';
import { now } from '../../clock.ts';
import { answerAs } from '../../http/content-negotiation.ts';
import { HttpError } from '../../http/http-error.ts';
import { pathOf } from '../../http/return-path.ts';
import { requestFields } from '../../log.ts';
import { SessionEnded } from '../../session/commands.ts';
import { cookieAttributes } from '../../session/cookie.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import { handleOf } from '../../session/session-id.ts';
import { distanceMs } from '../../shared/distance.ts';
import { type Binding, bindingOf, confirmBinding } from './binding.ts';
import type { CookieState } from './bound-cookie.ts';
import type { Reason } from './refusals.ts';
import { type BoundParts, registrationHeader } from './routes.ts';
import { skippedPatienceMs, usualPatienceMs } from './tries.ts';

/** After a sign-in, requests may still be on their way that were sent before the browser had its bound cookie. */
export const graceSeconds = 8;
/** Within its first minute, a session without proof is more likely one whose registration is slow than a stolen one. */
const newSeconds = 60;
/**
 * How long the waiting page waits, one after another: briefly at first, and in all for as long as a browser that has signed
 * too often has to wait, nine minutes in Chromium.
 */
export const waitSeconds = [5, 5, 10, 20, 30, 60, 60, 60, 60, 60, 60, 60, 60];

type Without = Exclude<CookieState, 'good'>;

const reasonOf: Record<Without, Reason> = {
  missing: 'no bound cookie',
  expired: 'bound cookie expired',
  wrong: 'bound cookie wrong',
};

/**
 * Lets a bound session count only together with its bound cookie. Without it nobody is signed in for this request, but the
 * session and its cookie stay as they are: it may be the owner who is asking. A request with a good bound cookie takes no
 * Redis command, except the first one, which confirms the binding.
 * @param origin of this site
 */
export function requireBoundCookie(parts: BoundParts, origin: string): RequestHandler {
  const { cookies } = parts;

  return function requireBoundCookie(req, res, next) {
    const { email, signedInAt = 0 } = req.session;
    if (email === undefined || req.session.binding === undefined)
      return letPass(parts, { req, res, next, wasBound: false });
    const binding = bindingOf(req.session);
    const state = binding ? cookies.check(req, req.sessionID, binding.key) : 'wrong';
    const isGrace = distanceMs(signedInAt) < graceSeconds * 1000;
    // A binding that can't be read is damaged, or a later version's: nothing proves it.
    const isNeeded = !binding || (binding.isConfirmed && !isGrace);
    if (state !== 'good' && isNeeded) return answerWithoutProof(parts, origin, { req, res, next, state, email });
    if (state === 'good' && cookies.readWaitingSince(req) !== undefined) cookies.endWaiting(res);
    const pass = () => letPass(parts, { req, res, next, wasBound: true });
    return state === 'good' && binding && !binding.isConfirmed ? confirm(parts, req, binding).then(pass) : pass();
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
  const { sessionID: sessionId } = req;
  const { signedInAt = 0, remember = false } = req.session;
  const skipped = skippedReason(parts, req);
  const isNew = distanceMs(signedInAt) < newSeconds * 1000;
  const usual = state === 'wrong' && !isNew ? 0 : usualPatienceMs;
  const patienceMs = skipped === undefined ? usual : skippedPatienceMs;
  const isLogin = /^\/login(?:\/|$)/.test(req.path);
  // An owner who has lost the key comes to the login page like this, and a thief gains nothing there.
  const details = { reason: reasonOf[state], patienceMs, skipped, isTry: !isLogin };
  await refusals.record(req, { sessionId, email, signedInAt, remember }, details);

  forgetSession(req);
  const since = cookies.readWaitingSince(req);
  const isRepeated = !isLogin && (state !== 'missing' || skipped !== undefined || isNew);
  const waits = isRepeated && skipped !== undefined ? secondsToWait(since) : undefined;
  if (waits !== undefined) {
    cookies.noteWaiting(res, since);
    return askToWait(req, res, next, waits);
  }
  if (isRepeated && skipped === undefined && since === undefined) {
    cookies.noteWaiting(res);
    // Without the cookie, the browser proves its key before it follows, with the same body (webappsec-dbsc, section 5).
    cookies.clear(res);
    return res.redirect(307, origin + pathOf(req));
  }
  letPass(parts, { req, res, next, wasBound: false, forgotten: { sessionId, email } });
}

const skippedEntry = /(?:^|,)\s*([a-z*][\w-]{0,39})((?:;[^,;"]*(?:"[^"]*")?)*)/gi;

/**
 * Why the browser sends no bound cookie of this session, as far as it says so. The header is a list over all sessions of
 * the site (RFC 9651), and only a browser that has registered the key knows what its session is called.
 */
function skippedReason({ names }: BoundParts, req: Request): string | undefined {
  const header = String(req.headers['secure-session-skipped'] ?? '');
  for (const [, reason, parameters = ''] of header.matchAll(skippedEntry)) {
    const [, name] = /;\s*session_identifier="([\w-]+)"/.exec(parameters) ?? [];
    if (name !== undefined && names.sessionIn(name) === req.sessionID) return reason;
  }
  return undefined;
}

/**
 * For how long to wait now; undefined once the browser had all the time it needs. By the clock, since tabs wait together.
 * @param since when the first of them began, in seconds
 */
function secondsToWait(since: number | undefined): number | undefined {
  const waited = since === undefined ? 0 : now() / 1000 - since;
  let end = 0;
  return waitSeconds.find((seconds) => {
    end += seconds;
    return waited < end;
  });
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

/** The browser can't prove its key just now, but will be able to soon. */
function askToWait(req: Request, res: Response, next: NextFunction, seconds: number): void {
  const message = 'Your browser could not prove just now that this is your device. Please try again in a moment.';
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

type Forgotten = { sessionId: string; email: EmailAddress };
type Passing = { req: Request; res: Response; next: NextFunction; wasBound: boolean; forgotten?: Forgotten };

/**
 * Goes on to the page, and completes its answer. That of a sign-in, and no other, asks the browser to bind the session:
 * whoever has stolen a session does not get there. One without a session takes the bound cookie back.
 * @param forgotten the session that did not count for this request; a sign-in by its owner ends it
 */
function letPass(parts: BoundParts, { req, res, next, wasBound, forgotten }: Passing): void {
  const { challenges, cookies } = parts;
  const { sessionID: idBefore } = req;
  const { writeHead } = res;
  res.writeHead = ((...args: unknown[]) => {
    const { session } = req;
    if (session?.email === undefined) {
      // After a failure, the session may well go on.
      if (wasBound && res.statusCode < 500) cookies.clear(res);
    } else if (req.sessionID !== idBefore && !bindingOf(session)) {
      res.setHeader('Secure-Session-Registration', registrationHeader(challenges, req.sessionID));
      if (forgotten?.email === session.email) void endForgotten(parts, req, forgotten);
    }
    return Reflect.apply(writeHead, res, args);
  }) as Response['writeHead'];
  next();
}

/** As any other sign-in ends the session that the browser had before. */
async function endForgotten({ store, log }: BoundParts, req: Request, { sessionId }: Forgotten): Promise<void> {
  try {
    const ended = await store.index.endById(sessionId);
    if (ended) log.info({ ...requestFields(req), session: handleOf(sessionId), by: 'new sign-in' }, 'session ended');
  } catch (err) {
    log.error({ id: req.id, err }, 'session before a sign-in not ended');
  }
}
