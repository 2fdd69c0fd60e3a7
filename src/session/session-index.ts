import { now } from '../clock.ts';
import type { SessionCommands } from './commands.ts';
import type { EmailAddress } from './email-address.ts';
import { endOf, type SessionLimits } from './lifetime.ts';
import { decode, isBindingInForce, type StoredSession } from './record.ts';
import { endScript, listScript } from './scripts.ts';
import {
  anonymousTag,
  handleOf,
  indexKey,
  isSessionId,
  memberLength,
  memberOf,
  sessionKey,
  tagIn,
  tagOf,
} from './session-id.ts';

/** A live session as its owner may see it: its id stays in the cookie and in Redis. Times are milliseconds since the epoch. */
export type ListedSession = Readonly<ReturnType<typeof toListed>>;

/** A session on a list. Where its record can't be read, there is nothing to show, but it can be ended. */
export type ListEntry = { sessionId: string; session: StoredSession | undefined; listed?: ListedSession };
type LiveEntry = ListEntry & { session: StoredSession };

/** Lists and ends the sessions of an address (ASVS 7.4.2, 7.4.3, 7.5.2). Every method throws `RedisUnavailable`. */
export class SessionIndex {
  /** Every end of a session runs it, except by expiry; a feature may announce the ends. */
  endScript = endScript;
  /** Reads each reply of `listScript`; a feature may remember what the latest ones held. */
  readList: (tag: string, reply: string) => readonly ListEntry[] = readList;
  readonly #commands: SessionCommands;
  readonly #limits: SessionLimits;

  constructor(commands: SessionCommands, limits: SessionLimits) {
    this.#commands = commands;
    this.#limits = limits;
  }

  /** The live sessions of an address, the most recently used first. One Redis command. */
  async list(email: EmailAddress): Promise<ListedSession[]> {
    return (await this.#live(tagOf(email))).map(listedOf);
  }

  /** The same for the address of this session, which is on the list even if its entry was lost from Redis. */
  async listFor(sessionId: string): Promise<ListedSession[]> {
    const tag = tagIn(sessionId);
    if (!isSessionId(sessionId) || tag === anonymousTag) return [];
    return (await this.#live(tag, sessionId)).map(listedOf);
  }

  /** Ends one session of an address. Returns whether it was live. */
  async end(email: EmailAddress, handle: string): Promise<boolean> {
    return (await this.#endWhere(tagOf(email), (sessionId) => handleOf(sessionId) === handle)) > 0;
  }

  /** Ends the session with this id. Returns whether it was live. */
  async endById(sessionId: string): Promise<boolean> {
    return isSessionId(sessionId) && (await this.#end(tagIn(sessionId), [sessionId])) > 0;
  }

  /** Ends every session that an address has now, except perhaps one. Returns how many were live. */
  endAll(email: EmailAddress, options: { exceptId?: string } = {}): Promise<number> {
    return this.#endWhere(tagOf(email), (sessionId) => sessionId !== options.exceptId);
  }

  /** Ends the least recently used sessions of a tag beyond `maxSessions`, and returns their public handles. */
  async trim(tag: string, maxSessions: number): Promise<string[]> {
    const surplus = (await this.#live(tag)).slice(maxSessions).map(({ sessionId }) => sessionId);
    await this.#end(tag, surplus);
    return surplus.map(handleOf);
  }

  async #endWhere(tag: string, isMeant: (sessionId: string) => boolean): Promise<number> {
    return this.#end(tag, (await this.#entries(tag)).map(({ sessionId }) => sessionId).filter(isMeant));
  }

  async #end(tag: string, sessionIds: string[]): Promise<number> {
    if (sessionIds.length === 0) return 0;
    const keys = [indexKey(tag), ...sessionIds.map(sessionKey)];
    return Number(await this.#commands.run(this.endScript, keys, sessionIds.map(memberOf)));
  }

  async #live(tag: string, ownId?: string): Promise<LiveEntry[]> {
    const [entries, listedAt] = [await this.#entries(tag, ownId), now()];
    const isLive = (entry: ListEntry): entry is LiveEntry =>
      entry.session !== undefined && endOf(entry.session, this.#limits) > listedAt;
    return entries.filter(isLive).sort(latestFirst);
  }

  async #entries(tag: string, ownId?: string): Promise<readonly ListEntry[]> {
    const own = ownId ? [ownId] : [];
    const keys = [indexKey(tag), sessionKey(tag), ...own.map(sessionKey)];
    return this.readList(tag, String(await this.#commands.run(listScript, keys, [now(), ...own.map(memberOf)])));
  }
}

// When several sign in at once, each of them trims, so all must agree on the order.
function latestFirst(a: LiveEntry, b: LiveEntry): number {
  const { lastSeenAt, signedInAt } = b.session;
  return lastSeenAt - a.session.lastSeenAt || signedInAt - a.session.signedInAt || (a.sessionId < b.sessionId ? -1 : 1);
}

function readList(tag: string, reply: string): ListEntry[] {
  if (reply === '') return [];
  return reply.split('\0').map((entry) => {
    const sessionId = tag + entry.slice(0, memberLength);
    return { sessionId, session: decode(entry.slice(memberLength)) };
  });
}

// Once, and only when it is shown, since it takes a hash; frozen, because several requests may share it.
const listedOf = (entry: LiveEntry) => (entry.listed ??= Object.freeze(toListed(entry)));

function toListed({ sessionId, session: { device, signedInAt, lastSeenAt, binding } }: LiveEntry) {
  return { handle: handleOf(sessionId), device, signedInAt, lastSeenAt, isBound: isBindingInForce(binding) };
}
