import { now } from '../clock.ts';
import type { SessionCommands } from './commands.ts';
import { type EmailAddress, requireCanonical } from './email-address.ts';
import { endOf, type SessionLimits } from './lifetime.ts';
import { decode, type StoredSession } from './record.ts';
import { endScript, listScript } from './scripts.ts';
import { handleOf, indexKey, isSessionId, memberLength, memberOf, sessionKey, tagIn, tagOf } from './session-id.ts';

/** A live session as its owner may see it: its id stays in the cookie and in Redis. Times are milliseconds since the epoch. */
export type ListedSession = Readonly<ReturnType<typeof toListed>>;

/** A session on the list of its address, live or not. */
export type ListEntry = { sessionId: string; session: StoredSession };

/** Lists and ends the sessions of an address (ASVS 7.4.2, 7.4.3, 7.5.2). Every method throws `RedisUnavailable`. */
export class SessionIndex {
  /** Every end of a session runs it, except by expiry; a feature may announce the ends. */
  endScript = endScript;
  /** Reads a reply of `listScript`, into entries with the latest used first; a feature may remember the latest replies. */
  readList: (tag: string, reply: string) => readonly ListEntry[] = readList;
  /** What is shown of an entry; a feature may remember it. */
  toListed: (entry: ListEntry) => ListedSession = toListed;
  readonly #commands: SessionCommands;
  readonly #limits: SessionLimits;

  constructor(commands: SessionCommands, limits: SessionLimits) {
    this.#commands = commands;
    this.#limits = limits;
  }

  /** The live sessions of an address, the most recently used first. One Redis command. */
  async list(email: EmailAddress): Promise<ListedSession[]> {
    return (await this.#live(tagOf(requireCanonical(email)))).map(this.toListed);
  }

  /** The same for the address of this session, which is on the list even if its entry was lost from Redis. */
  async listFor(sessionId: string): Promise<ListedSession[]> {
    const tag = tagIn(sessionId);
    if (!isSessionId(sessionId) || tag === tagOf(undefined)) return [];
    return (await this.#live(tag, sessionId)).map(this.toListed);
  }

  /** Ends one session of an address. Returns whether it was live. */
  async end(email: EmailAddress, handle: string): Promise<boolean> {
    return (await this.#endWhere(tagOf(requireCanonical(email)), (sessionId) => handleOf(sessionId) === handle)) > 0;
  }

  /** Ends the session with this id. Returns whether it was live. */
  async endById(sessionId: string): Promise<boolean> {
    return isSessionId(sessionId) && (await this.#end(tagIn(sessionId), [sessionId])) > 0;
  }

  /** Ends every session that an address has now, except perhaps one. Returns how many were live. */
  async endAll(email: EmailAddress, options: { exceptId?: string } = {}): Promise<number> {
    return this.#endWhere(tagOf(requireCanonical(email)), (sessionId) => sessionId !== options.exceptId);
  }

  /** Ends the least recently used sessions of a tag beyond `maxSessions`, and returns their public handles. */
  async trim(tag: string, maxSessions: number): Promise<string[]> {
    const surplus = (await this.#live(tag)).slice(maxSessions).map(({ sessionId }) => sessionId);
    await this.#end(tag, surplus);
    return surplus.map(handleOf);
  }

  async #endWhere(tag: string, isMeant: (sessionId: string) => boolean): Promise<number> {
    // Unread: a session whose record is corrupt is on no list, but must end as well.
    const stored = splitList(tag, await this.#read(tag));
    return this.#end(tag, stored.map(({ sessionId }) => sessionId).filter(isMeant));
  }

  async #end(tag: string, sessionIds: string[]): Promise<number> {
    if (sessionIds.length === 0) return 0;
    const keys = [indexKey(tag), ...sessionIds.map(sessionKey)];
    return Number(await this.#commands.run(this.endScript, keys, sessionIds.map(memberOf)));
  }

  async #live(tag: string, ownId?: string): Promise<ListEntry[]> {
    const entries = this.readList(tag, await this.#read(tag, ownId));
    const listedAt = now();
    return entries.filter(({ session }) => endOf(session, this.#limits) > listedAt);
  }

  async #read(tag: string, ownId?: string): Promise<string> {
    const own = ownId ? [ownId] : [];
    const keys = [indexKey(tag), sessionKey(tag), ...own.map(sessionKey)];
    return String(await this.#commands.run(listScript, keys, [now(), ...own.map(memberOf)]));
  }
}

// When several sign in at once, each of them trims, so all must agree on the order.
function latestFirst(a: ListEntry, b: ListEntry): number {
  const { lastSeenAt, signedInAt } = b.session;
  return lastSeenAt - a.session.lastSeenAt || signedInAt - a.session.signedInAt || (a.sessionId < b.sessionId ? -1 : 1);
}

function splitList(tag: string, reply: string): { sessionId: string; record: string }[] {
  const entries = reply === '' ? [] : reply.split('\0');
  return entries.map((entry) => ({ sessionId: tag + entry.slice(0, memberLength), record: entry.slice(memberLength) }));
}

function readList(tag: string, reply: string): ListEntry[] {
  const decoded = splitList(tag, reply).map(({ sessionId, record }) => ({ sessionId, session: decode(record) }));
  return decoded.flatMap(({ sessionId, session }) => (session ? { sessionId, session } : [])).sort(latestFirst);
}

function toListed({ sessionId, session: { device, signedInAt, lastSeenAt } }: ListEntry) {
  return { handle: handleOf(sessionId), device, signedInAt, lastSeenAt };
}
