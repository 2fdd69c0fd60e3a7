import { timingSafeEqual } from 'node:crypto';
import type { Request } from 'express';
import type { Core } from '../core.ts';
import { isDecodable } from '../http/url.ts';
import { cookieName, sign } from '../session/cookie.ts';
import { readCookie } from './read-cookie.ts';

/**
 * The session id in the visitor's cookie, if one of the secrets signed it; otherwise an empty text. As express-session
 * does for pages, it takes a cookie that a client has decoded, or encoded in another way.
 */
export function readSessionId(req: Request, { store, secrets }: Pick<Core, 'store' | 'secrets'>): string {
  const sent = readCookie(req, cookieName(store.https)) ?? '';
  const cookie = Buffer.from(isDecodable(sent) ? decodeURIComponent(sent) : sent);
  const [, sessionId = ''] = /^s:([\w-]+)\./.exec(cookie.toString()) ?? [];
  const isSigned = secrets.some((secret) => {
    const expected = Buffer.from(sign(sessionId, secret));
    return expected.length === cookie.length && timingSafeEqual(expected, cookie);
  });
  return isSigned ? sessionId : '';
}
