import { createHmac } from 'node:crypto';
import type { Request, Response } from 'express';

/** The first secret signs cookies; all of them verify. Removing one invalidates everything that it alone signed. */
export type SessionSecrets = readonly [string, ...string[]];

/** The attributes of every session cookie (ASVS 3.3.1 to 3.3.4). */
export function cookieAttributes(secure: boolean) {
  return { path: '/', httpOnly: true, sameSite: 'lax', secure } as const;
}

/** The session cookie's name: a generic one (OWASP Session Management Cheat Sheet). */
export function cookieName(secure: boolean): string {
  return prefixedName('session', secure);
}

/** Over https, with the prefix that binds a cookie to this host, which browsers enforce (RFC 6265bis, 4.1.3.2). */
export function prefixedName(name: string, secure: boolean): string {
  return secure ? `__Host-${name}` : name;
}

/** Whether the visitor's cookie was signed with an older secret, which may soon be removed (express-session#591). */
export function isSignedBefore(req: Request, secret: string): boolean {
  return !req.headers.cookie?.replaceAll(/%[0-7][\da-f]/gi, decodeURIComponent).includes(sign(req.sessionID, secret));
}

/** Sends the session's cookie again, with a new signature or a later expiry. */
export function renewCookie(req: Request, res: Response, secret: string): void {
  const { secure, expires } = req.session.cookie;
  const attributes = { ...cookieAttributes(secure === true), ...(expires && { expires }) };
  res.cookie(cookieName(attributes.secure), sign(req.sessionID, secret), attributes);
}

/** A session id with its signature, in the format that express-session reads. */
export function sign(sessionId: string, secret: string): string {
  return `s:${sessionId}.${createHmac('sha256', secret).update(sessionId).digest('base64').replace('=', '')}`;
}
