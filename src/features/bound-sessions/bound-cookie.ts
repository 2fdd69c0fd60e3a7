import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Request, Response } from 'express';
import { now } from '../../clock.ts';
import type { SessionSecrets } from '../../config.ts';
import { cookieAttributes, prefixedName } from '../../session/cookie.ts';
import { readCookie } from '../../shared/read-cookie.ts';

/** For how long a bound cookie is good: what a thief who copies it together with the session's has at most. */
export const boundCookieSeconds = 600;
/**
 * Browsers renew it earlier, so that it does not end while a request is under way. Not much earlier, since Chromium signs
 * six times in nine minutes for a site, and then skips proofs.
 */
const maxAgeSeconds = 570;
/** By how much the clocks of two processes may differ. */
const maxClockSkewSeconds = 60;

/** Longer than the waiting page waits at once, so that it comes back with this cookie. */
const waitingMaxAgeMs = 120_000;

const attributes = cookieAttributes(true);
const shape = /^([\da-z]{6,8})\.([\w-]{43})$/;

/** What a request's bound cookie proves about its session. */
export type CookieState = 'good' | 'expired' | 'wrong' | 'missing';

/** The attributes as the browser must see them in the instructions; any difference, and it never finds the cookie. */
export const boundCookie = {
  name: prefixedName('bound', true),
  attributes: 'Path=/; Secure; HttpOnly; SameSite=Lax',
};

/**
 * The short-lived cookie that stands for a proof of the session's key. Nothing is stored: it holds when it ends, and an HMAC
 * over that, the session's id and its key. Checking one takes no Redis command.
 */
export class BoundCookies {
  readonly #secrets: SessionSecrets;

  constructor(secrets: SessionSecrets) {
    this.#secrets = secrets;
  }

  /** Gives the browser a new one, after it has proved the key. */
  set(res: Response, sessionId: string, key: string): void {
    const end = (Math.floor(now() / 1000) + boundCookieSeconds).toString(36);
    const value = `${end}.${sign(end, sessionId, key, this.#secrets[0])}`;
    res.cookie(boundCookie.name, value, {
      ...attributes,
      maxAge: maxAgeSeconds * 1000,
    });
  }

  clear(res: Response): void {
    res.clearCookie(boundCookie.name, attributes);
  }

  check(req: Request, sessionId: string, key: string): CookieState {
    const value = readCookie(req, boundCookie.name);
    if (value === undefined) return 'missing';
    const end = this.#endOf(value, sessionId, key);
    if (end === undefined) return 'wrong';
    const secondsLeft = end - now() / 1000;
    // One from the future would be worth more than its minutes: a clock has been set back since.
    return secondsLeft > 0 && secondsLeft <= boundCookieSeconds + maxClockSkewSeconds ? 'good' : 'expired';
  }

  /** When a cookie of this session and key ends, in seconds; undefined for one that is forged, or not theirs. */
  #endOf(value: string, sessionId: string, key: string): number | undefined {
    const [, text = '', mac = ''] = shape.exec(value) ?? [];
    const isOurs = this.#secrets.some((secret) => isEqual(mac, sign(text, sessionId, key, secret)));
    return isOurs ? Number.parseInt(text, 36) : undefined;
  }

  /** Since when this browser has been asked to come back with a bound cookie, in seconds; undefined if it was not. */
  readWaitingSince(req: Request): number | undefined {
    if (!req.headers.cookie?.includes(waitingName)) return undefined;
    const since = Number.parseInt(/^[\da-z]{6,8}$/.exec(readCookie(req, waitingName) ?? '')?.[0] ?? '', 36);
    // One from the future would be waited for: a clock has been set back since.
    return since <= now() / 1000 + maxClockSkewSeconds ? since : undefined;
  }

  /** @param since as read; undefined if it begins now */
  noteWaiting(res: Response, since = Math.floor(now() / 1000)): void {
    res.cookie(waitingName, since.toString(36), { ...attributes, maxAge: waitingMaxAgeMs });
  }

  endWaiting(res: Response): void {
    res.clearCookie(waitingName, attributes);
  }
}

const waitingName = prefixedName('bound-waiting', true);

function sign(end: string, sessionId: string, key: string, secret: string): string {
  return createHmac('sha256', secret).update(`bound cookie:${end}:${sessionId}:${key}`).digest('base64url');
}

function isEqual(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
