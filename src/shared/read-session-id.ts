import { timingSafeEqual } from 'node:crypto';
import type { Request } from 'express';
import type { Core } from '../core.ts';
import { cookieName, sign } from '../session/cookie.ts';
import { readCookie } from './read-cookie.ts';

/** The session id in the visitor's cookie, if one of the secrets signed it; otherwise an empty text. */
export function readSessionId(req: Request, { store, secrets }: Pick<Core, 'store' | 'secrets'>): string {
  const cookie = Buffer.from(readCookie(req, cookieName(store.https)) ?? '');
  const [, sessionId = ''] = /^s%3A([\w-]+)\./.exec(cookie.toString()) ?? [];
  const isSigned = secrets.some((secret) => {
    const expected = Buffer.from(encodeURIComponent(sign(sessionId, secret)));
    return expected.length === cookie.length && timingSafeEqual(expected, cookie);
  });
  return isSigned ? sessionId : '';
}
