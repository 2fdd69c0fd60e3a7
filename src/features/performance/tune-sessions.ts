import type { RequestHandler } from 'express';
import type { Core } from '../../core.ts';
import { loadStoredSessions } from './load-stored-sessions.ts';
import { rememberLists } from './remember-lists.ts';

/**
 * Makes loading and listing sessions cheaper.
 * @returns what takes the middleware of express-session and stands in its place
 */
export function tuneSessions(
  core: Pick<Core, 'store' | 'secrets'>,
): (expressSession: RequestHandler) => RequestHandler {
  rememberLists(core.store.index);
  return loadStoredSessions(core);
}
