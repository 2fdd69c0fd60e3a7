import type { Request, Response } from 'express';
import type { SessionData } from 'express-session';
import { signedIn, signIns } from '../diagnostics.ts';
import { HttpError } from '../http/http-error.ts';
import { describeDevice } from '../http/user-agent.ts';
import { requestFields, type SessionLog } from '../log.ts';
import { cookieAttributes, cookieName } from './cookie.ts';
import { type EmailAddress, requireCanonical } from './email-address.ts';
import { extraFields, type OwnFields } from './record.ts';
import { anonymousTag, handleOf, newSessionId, tagOf } from './session-id.ts';
import { SessionStore } from './store.ts';

/** What a fork keeps in its sessions, beside what sign-in itself stores there. */
export type KeptField = Exclude<keyof SessionData, keyof OwnFields>;

const newIds = new WeakMap<Request, string>();

/** The id of a new session, under the tag of the address that is signing in. */
export function generateSessionId(req: Request): string {
  return newIds.get(req) ?? newSessionId(anonymousTag);
}

/**
 * Makes this address the visitor's identity, under a new session id: whoever knew the old one gains nothing
 * (ASVS 7.2.4). Once the session is stored, logs that and publishes `latchkey:signed-in`. Respond only afterwards.
 * @param email proven, or trusted; in canonical form, as `parseAddress()` returns it
 * @param options.remember whether the session outlives the browser, under the longer pair of limits
 * @param options.sessionId the id that the session will have, where it was chosen beforehand: under the tag of the address
 * @param options.means how the address was proved, in words, for the list of sessions
 * @param options.keep fields of the previous session to take along, unless that was somebody else's
 * @throws {RedisUnavailable} the visitor is then not signed in, and no cookie is set
 * @throws {HttpError} 403 when the store's `isAllowed` does not allow the address
 */
export async function signIn(
  req: Request,
  email: EmailAddress,
  options: { remember?: boolean; sessionId?: string; means?: string; keep?: readonly KeptField[] } = {},
): Promise<void> {
  const { log, isAllowed } = requireStore(req);
  const person = tagOf(requireCanonical(email));
  if (!isAllowed(email)) {
    auditRefused(log, req, 'not in ALLOWED_EMAILS', email);
    throw new HttpError(403, 'This address may not log in here.');
  }
  if (req.session.cookie.secure) requireSecure(req);
  const { remember = false, sessionId = newSessionId(person), means, keep = [] } = options;
  const { session: previous } = req;
  const isOwn = previous.email === undefined || previous.email === email;
  const kept = extraFields(previous).filter(([name]) => isOwn && keep.some((field) => field === name));
  newIds.set(req, sessionId);
  await run(req, 'regenerate');
  const device = [describeDevice(req.headers['user-agent'] ?? ''), means].filter(Boolean).join(', ');
  Object.assign(req.session, Object.fromEntries(kept), { email, remember, device });
  await saveSession(req);
  const session = handleOf(sessionId);
  log.info({ ...requestFields(req), session, person }, 'signed in'); // ASVS 16.3.1
  signIns.publish({ outcome: 'signed in', log, person, session, request: req.id, ip: req.ip });
  signedIn.publish({ email, device, remember, session });
}

/** Records a refused sign-in (ASVS 16.3.1). */
export function auditRefused(log: SessionLog, req: Request, reason: string, email?: EmailAddress): void {
  const person = email && tagOf(email);
  log.info({ ...requestFields(req), reason, person }, 'sign-in refused');
  signIns.publish({ outcome: reason, log, person, request: req.id });
}

/**
 * Ends the visitor's session, first in Redis and then in the browser.
 * @throws {RedisUnavailable} the visitor may then still be signed in, and must not be told otherwise
 */
export async function signOut(req: Request, res: Response): Promise<void> {
  const attributes = cookieAttributes(requireStore(req).https);
  await run(req, 'destroy');
  res.clearCookie(cookieName(attributes.secure), attributes);
  // Also what scripts of this site stored (ASVS 14.3.1). Clearing a large "cache" would take seconds (rails#54379).
  res.set('Clear-Site-Data', '"storage"');
}

/** The address of the visitor. @throws {HttpError} 401 when nobody is signed in */
export function currentEmail(req: Request): EmailAddress {
  requireStore(req);
  const email = req.session?.email;
  if (email === undefined) throw new HttpError(401, 'Please login first.');
  return email;
}

/**
 * Stores the changes to the visitor's session. Responses wait for that anyway; call it where a page must know before.
 * @throws {SessionEnded} when the session has ended meanwhile
 * @throws {RedisUnavailable}
 */
export function saveSession(req: Request): Promise<void> {
  return run(req, 'save');
}

/** Discards what a failed request changed in its session since that was last stored. */
export function discardChanges({ session, sessionStore }: Request): void {
  if (session && sessionStore instanceof SessionStore) sessionStore.discardChanges(session);
}

/**
 * Refuses to begin or complete a sign-in whose cookie would not be set.
 * @throws {HttpError} 403 when the visitor came by http
 * @throws {InsecureRequest} when nobody trusted says how the visitor came
 */
export function requireSecure(req: Request): void {
  if (req.secure) return;
  if (req.headers['x-forwarded-proto'] === 'http') {
    throw new HttpError(403, 'This page was opened over http. Open it over https to log in.');
  }
  throw new InsecureRequest('cookies are Secure, but this request did not come by https; is `trust proxy` set?');
}

/** Visitors come by https, but this request did not, as far as trusted proxies say, so its cookie could not be set. */
export class InsecureRequest extends Error {
  override readonly name = 'InsecureRequest';
}

function requireStore({ sessionStore }: Request): SessionStore {
  if (sessionStore instanceof SessionStore) return sessionStore;
  throw new Error('there is no session here: sessions() must come before this page');
}

async function run(req: Request, method: 'regenerate' | 'save' | 'destroy'): Promise<void> {
  requireStore(req);
  try {
    await new Promise<void>((done, fail) => req.session[method]((error) => (error ? fail(error) : done())));
  } catch (error) {
    // Otherwise the error page would set a cookie and try to save again.
    Reflect.deleteProperty(req, 'session');
    throw error;
  }
}
