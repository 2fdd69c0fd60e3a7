import { timingSafeEqual } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import type { Core } from '../../core.ts';
import { cookieName, sign } from '../../session/cookie.ts';
import { tagIn, tagOf } from '../../session/session-id.ts';
import { readCookie } from '../../shared/read-cookie.ts';

/**
 * Marks each page with the owner of its session, the tag of the address, and tells open pages whose session the browser
 * has now: `session-guard.js` asks whether they may still be shown. That does not count as use, so a tab in the
 * background keeps no session alive.
 */
export function sessionGuard(core: Core): { ownerOf: (email: string) => string; showOwner: RequestHandler } {
  const { store } = core;
  return {
    ownerOf: tagOf,
    async showOwner(req, res) {
      const sessionId = readSessionId(req, core);
      const session = await store.peek(sessionId);
      res.set('Cache-Control', 'no-store').type('text');
      res.send(session?.email === undefined ? '' : tagIn(sessionId));
    },
  };
}

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
