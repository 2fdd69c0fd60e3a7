import type { Request } from 'express';
import { handleOf } from '../../session/session-id.ts';
import type { ListedSession, SessionIndex } from '../../session/session-index.ts';

const preloaded = new WeakMap<Request, Promise<ListedSession[]>>();

/** Asks for the list of the visitor's sessions while the session itself is being loaded, so both share a round trip. */
export function preloadList(req: Request, index: SessionIndex): void {
  const list = index.listFor(req.sessionID);
  list.catch(() => {});
  preloaded.set(req, list);
}

/**
 * The live sessions of the visitor's address, as `showAdmin` lists them.
 * @throws {RedisUnavailable}
 */
export async function listPreloaded(req: Request, index: SessionIndex): Promise<ListedSession[]> {
  const sessions = await (preloaded.get(req) ?? index.listFor(req.sessionID));
  const ownHandle = handleOf(req.sessionID);
  const { lastSeenAt = 0 } = req.session;
  // Loading may have touched the session after the list was read.
  return sessions.map((session) =>
    session.handle === ownHandle && lastSeenAt > session.lastSeenAt ? { ...session, lastSeenAt } : session,
  );
}
