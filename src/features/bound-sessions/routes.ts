import { type Request, type RequestHandler, type Response, Router } from 'express';
import type { SessionData } from 'express-session';
import type { Core } from '../../core.ts';
import { requestFields } from '../../log.ts';
import { allowOnly, retryAfterSeconds } from '../../middleware/errors.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import { handleOf, tagIn } from '../../session/session-id.ts';
import { readSessionId } from '../../shared/read-session-id.ts';
import { type Binding, bind, bindingOf, confirmBinding } from './binding.ts';
import { type BoundCookies, boundCookie } from './bound-cookie.ts';
import type { Challenges } from './challenges.ts';
import { algorithm, readProof, readString } from './proof.ts';
import type { Reason, Refusals } from './refusals.ts';
import type { SessionNames } from './session-names.ts';
import { useChallenge } from './tries.ts';

export type BoundParts = Pick<Core, 'store' | 'secrets' | 'redis' | 'log'> & {
  cookies: BoundCookies;
  challenges: Challenges;
  names: SessionNames;
  refusals: Refusals;
};

const registerPath = '/bound-session/register';
const refreshPath = '/bound-session/refresh';

/** The header that asks a browser to bind the session that it has just begun (Device Bound Session Credentials, 9.1). */
export function registrationHeader(challenges: Challenges, sessionId: string): string {
  return `(${algorithm});path="${registerPath}";challenge="${challenges.issue('register', sessionId)}"`;
}

/**
 * Where browsers register and prove the key of a session. They come here by themselves, long after anybody has asked for a
 * page, so neither counts as use: an open tab must not keep a session from its idle limit.
 */
export function boundSessionRoutes(parts: BoundParts): Router {
  const routes = Router();
  routes.use([registerPath, refreshPath], (_req, res, next) => {
    res.set('Cache-Control', 'no-store');
    next();
  });
  routes.route(registerPath).post(register(parts)).all(allowOnly('POST', '/admin'));
  routes.route(refreshPath).post(refresh(parts)).all(allowOnly('POST', '/admin'));
  return routes;
}

/**
 * When it is off, browsers that hold a key are told to try again later. A 404 would make them forget the key for good, and
 * with it the session wherever it is on.
 */
export function pausedRoutes(): Router {
  const routes = Router();
  routes.route(refreshPath).post((_req, res) => {
    res.set({ 'Cache-Control': 'no-store', 'Retry-After': String(retryAfterSeconds) });
    refuse(res, 503, 'Bound sessions are off.');
  });
  return routes;
}

type Owned = { sessionId: string; session: SessionData; email: EmailAddress };

async function findSession({ store }: BoundParts, sessionId: string | undefined): Promise<Owned | undefined> {
  const session = sessionId === undefined ? null : await store.peek(sessionId);
  if (sessionId === undefined || session?.email === undefined) return undefined;
  return { sessionId, session, email: session.email };
}

/**
 * Binds a session to the key of the browser that began it: only its sign-in was answered with the challenge, so whoever
 * has stolen the session can't bind it to a key of their own.
 */
function register(parts: BoundParts): RequestHandler {
  const { challenges, cookies, names, redis, log } = parts;

  return async function registerKey(req, res) {
    const owned = await findSession(parts, readSessionId(req, parts));
    if (!owned) return refuse(res, 401, 'Please login first.');
    const { sessionId } = owned;
    const proof = readProof(req.headers['secure-session-response']);
    const key = proof?.newKey;
    if (!proof || key === undefined || !challenges.isGood(proof.challenge, 'register', sessionId)) {
      // A page on another host of this domain can send forms here, but not this header.
      const isTry = req.headers['secure-session-response'] !== undefined;
      if (isTry) await record(parts, req, owned, 'registration not asked for');
      return refuse(res, 400, 'Only a sign-in can be followed by a registration.');
    }
    if (!proof.isSignedBy(key)) {
      await record(parts, req, owned, 'registration signed by another key');
      return refuse(res, 400, 'The proof is not signed by its key.');
    }
    if (!(await bind(redis, sessionId, key))) {
      // Its own key a second time is the browser's, whose request was repeated on the way.
      const bound = await findSession(parts, sessionId);
      if (bound && bindingOf(bound.session)?.key !== key)
        await record(parts, req, owned, 'registration of a second key');
      return refuse(res, 409, 'This session is bound already.');
    }
    log.info({ ...requestFields(req), session: handleOf(sessionId), person: tagIn(sessionId) }, 'session bound');
    cookies.set(res, sessionId, key);
    res.json(instructions(names.nameOf(sessionId)));
  };
}

/**
 * Renews the bound cookie of a browser that proves its key. On 4xx other than 403 a browser forgets the key for good, so
 * that is the answer only where there is no such session; a 403 makes it sign the new challenge.
 * @throws {RedisUnavailable} 503, on which it tries again later
 */
function refresh(parts: BoundParts): RequestHandler {
  const { challenges, cookies, names, redis } = parts;

  return async function refreshBoundCookie(req, res) {
    const name = readString(req.headers['sec-secure-session-id']);
    const ownId = readSessionId(req, parts);
    // A name that was given under a secret that is no longer there can't be read.
    const sessionId = name === undefined ? undefined : names.sessionIn(name) || ownId;
    const owned = await findSession(parts, sessionId);
    const binding = owned && bindingOf(owned.session);
    // Where a link on another site has led here, the session's cookie is missing. One of another session means that
    // somebody has logged in again.
    const current = ownId || sessionId;
    if (!name || !sessionId || !owned || !binding || current !== sessionId)
      return refuse(res, 401, 'Please login first.');
    if (!(await isProved(parts, req, owned, binding))) {
      // Only here: one sent ahead is too old by the next renewal, and its signature is wasted.
      res.set('Secure-Session-Challenge', `"${challenges.issue('refresh', sessionId)}";id="${name}"`);
      return refuse(res, 403, 'Sign the challenge.');
    }
    if (!binding.isConfirmed) await confirmBinding(redis, sessionId, binding);
    cookies.set(res, sessionId, binding.key);
    // Told all of it again, Chromium drops the challenge that it has signed. Otherwise it signs that one at the next renewal,
    // to no purpose, and skips proofs once it has signed six times.
    res.json(instructions(name));
  };
}

/** What a browser needs to know of its bound session (its JSON session instructions). */
function instructions(name: string) {
  return {
    session_identifier: name,
    refresh_url: refreshPath,
    scope: { include_site: false },
    credentials: [{ type: 'cookie', ...boundCookie }],
    // A link on another site may lead here as well. The cookie goes only with such page loads (SameSite=Lax), so no other
    // site can find out by the time of a request whether somebody is logged in.
    allowed_refresh_initiators: ['*'],
  };
}

/** Whether a request answers one of our challenges, for the first time, with the key of its session. */
async function isProved(parts: BoundParts, req: Request, owned: Owned, binding: Binding): Promise<boolean> {
  const { sessionId } = owned;
  const proof = readProof(req.headers['secure-session-response']);
  if (!proof || !parts.challenges.isGood(proof.challenge, 'refresh', sessionId)) return false;
  if (!proof.isSignedBy(binding.key)) {
    await record(parts, req, owned, 'wrong key');
    return false;
  }
  const isFirst = await useChallenge(parts.redis, sessionId, proof.challenge);
  // Browsers repeat a proof as well, when its answer was lost.
  if (!isFirst) await record(parts, req, owned, 'proof replayed', { isTry: false });
  return isFirst;
}

function record(
  { refusals }: BoundParts,
  req: Request,
  { sessionId, session, email }: Owned,
  reason: Reason,
  { isTry } = { isTry: true },
): Promise<void> {
  const { signedInAt, remember } = session;
  return refusals.record(req, { sessionId, email, signedInAt, remember }, { reason, patienceMs: 0, isTry });
}

function refuse(res: Response, status: number, text: string): void {
  res.status(status).type('text').send(`${text}\n`);
}
