import type { Request, Response } from 'express';
import { describeDevice } from '../http/user-agent.ts';
import { cookieAttributes, cookieName } from './cookie.ts';
import type { EmailAddress } from './email-address.ts';
import { anonymousTag, newSessionId, tagOf } from './record.ts';

const tags = new WeakMap<Request, string>();

/** The id of a new session, under the tag of the address that is signing in. */
export function generateSessionId(req: Request): string {
  return newSessionId(tags.get(req) ?? anonymousTag);
}

/**
 * Makes this address the visitor's identity, under a new session id: whoever knew the old one gains nothing
 * (ASVS 7.2.4). Answer only after it: until then nothing is stored.
 * @param email proven, or trusted, and in its canonical form
 * @param options.remember whether the session outlives the browser, under the longer pair of limits
 * @throws {RedisUnavailable} the visitor is then not signed in, and no cookie is set
 */
export async function signIn(req: Request, email: EmailAddress, options: { remember: boolean }): Promise<void> {
  if (req.session.cookie.secure) requireSecure(req);
  tags.set(req, tagOf(email));
  try {
    await new Promise<void>((done, fail) => req.session.regenerate((error) => (error ? fail(error) : done())));
    const now = Date.now();
    Object.assign(req.session, {
      email,
      signedInAt: now,
      lastSeenAt: now,
      remember: options.remember,
      device: describeDevice(req.headers['user-agent'] ?? ''),
    });
    await new Promise<void>((done, fail) => req.session.save((error) => (error ? fail(error) : done())));
  } catch (error) {
    // Otherwise the error page would carry a cookie, and try to save once more.
    Reflect.deleteProperty(req, 'session');
    throw error;
  }
}

/**
 * Ends the visitor's session, in Redis first and in the browser after.
 * @throws {RedisUnavailable} the visitor may then still be signed in, and must not be told otherwise
 */
export async function signOut(req: Request, res: Response): Promise<void> {
  const attributes = cookieAttributes(req.session.cookie.secure === true);
  await new Promise<void>((done, fail) => req.session.destroy((error) => (error ? fail(error) : done())));
  res.clearCookie(cookieName(attributes.secure), attributes);
  // What the browser kept of the pages goes too (ASVS 14.3.1).
  res.set('Clear-Site-Data', '"cache", "storage"');
}

/**
 * Refuses to begin or complete a sign-in whose cookie would not be set.
 * @throws {Error} when the request did not come by https
 */
export function requireSecure(req: Request): void {
  if (!req.secure) throw new InsecureRequest();
}

/** The site's origin is https, but this request did not come that way, so its cookie could not be set. */
class InsecureRequest extends Error {
  constructor() {
    super(
      'BASE_URL is https, but this request arrived as http: let the proxy send X-Forwarded-Proto, and name it in TRUST_PROXY',
    );
    this.name = 'InsecureRequest';
  }
}
