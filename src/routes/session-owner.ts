import type { RequestHandler } from 'express';
import { readSessionId, type SessionSecrets } from '../session/cookie.ts';
import { tagIn } from '../session/session-id.ts';
import type { SessionStore } from '../session/store.ts';

/**
 * Says whose session this browser has: the tag of the address, or nothing. Open pages ask whether they may still be
 * shown (`session-guard.js`). It does not count as use, so a tab in the background keeps no session alive.
 */
export function sessionOwner({ store, secrets }: { store: SessionStore; secrets: SessionSecrets }): RequestHandler {
  return async function sessionOwner(req, res) {
    const sessionId = readSessionId(req, secrets, store.https) ?? '';
    const session = await store.peek(sessionId);
    res.set('Cache-Control', 'no-store').type('text');
    res.send(session?.email === undefined ? '' : tagIn(sessionId));
  };
}
