import type { RequestHandler } from 'express';
import type { Core } from '../../core.ts';
import { tagIn, tagOf } from '../../session/session-id.ts';
import { readSessionId } from '../../shared/read-session-id.ts';

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
