import type { ListedRecord, SessionCommands } from './commands.ts';
import type { EmailAddress } from './email-address.ts';
import { endOf, type SessionLimits } from './lifetime.ts';
import { anonymousTag, decode, handleOf, keysOf, type SessionKeys, type StoredSession, tagOf } from './record.ts';

/** A live session as its owner may see it. Times are milliseconds since the epoch. */
export type ListedSession = Pick<StoredSession, 'device' | 'signedInAt' | 'lastSeenAt'> & {
  /** Public; the id itself stays in the cookie and in Redis. */
  handle: string;
};

type LiveSession = { member: string; session: StoredSession };

/**
 * The sessions of an address: listing them, and ending them (ASVS 7.4.2, 7.4.3, 7.5.2). Every method throws
 * `RedisUnavailable`.
 */
export class SessionIndex {
  readonly #commands: SessionCommands;
  readonly #limits: SessionLimits;

  constructor(commands: SessionCommands, limits: SessionLimits) {
    this.#commands = commands;
    this.#limits = limits;
  }

  /** The live sessions of an address, the most recently used first. One Redis command. */
  list(email: EmailAddress): Promise<ListedSession[]> {
    return this.#list(tagOf(email));
  }

  /** The same for the address of this session, which is on the list even if its entry was lost from Redis. */
  async listFor(sessionId: string): Promise<ListedSession[]> {
    const keys = keysOf(sessionId);
    return keys && keys.tag !== anonymousTag ? this.#list(keys.tag, keys) : [];
  }

  /** The session with this id, if it is live. */
  async find(sessionId: string): Promise<ListedSession | undefined> {
    const keys = keysOf(sessionId);
    const record = keys && (await this.#commands.read(keys));
    const session = record ? decode(record) : undefined;
    return session && endOf(session, this.#limits) > Date.now() ? toListed(sessionId, session) : undefined;
  }

  /**
   * Ends one session of an address.
   * @returns whether it was live
   */
  async end(email: EmailAddress, handle: string): Promise<boolean> {
    return (await this.#endWhere(tagOf(email), (sessionId) => handleOf(sessionId) === handle)) > 0;
  }

  /**
   * Ends the session with this id.
   * @returns whether it was live
   */
  async endById(sessionId: string): Promise<boolean> {
    const keys = keysOf(sessionId);
    return keys !== undefined && (await this.#commands.end(keys.tag, [keys.member])) > 0;
  }

  /**
   * Ends every session of an address that existed when this was called, except perhaps one. A session that signs in at
   * the same time stays, and is listed.
   * @returns how many were live
   */
  endAll(email: EmailAddress, options: { exceptId?: string } = {}): Promise<number> {
    return this.#endWhere(tagOf(email), (sessionId) => sessionId !== options.exceptId);
  }

  /**
   * Ends the least recently used sessions of a tag until `maxSessions` are left.
   * @returns the public handles of those that it ended
   */
  async trim(tag: string, maxSessions: number): Promise<string[]> {
    const live = this.#live(await this.#commands.list(tag));
    const surplus = live.slice(maxSessions).map(({ member }) => member);
    await this.#commands.end(tag, surplus);
    return surplus.map((member) => handleOf(tag + member));
  }

  async #list(tag: string, own?: SessionKeys): Promise<ListedSession[]> {
    const live = this.#live(await this.#commands.list(tag, own));
    return live.map(({ member, session }) => toListed(tag + member, session));
  }

  async #endWhere(tag: string, isMeant: (sessionId: string) => boolean): Promise<number> {
    const listed = await this.#commands.list(tag);
    const members = listed.map(({ member }) => member).filter((member) => isMeant(tag + member));
    return this.#commands.end(tag, members);
  }

  // When several sign in at once, each of them trims, so all must agree on the order.
  #live(records: ListedRecord[]): LiveSession[] {
    const now = Date.now();
    return records
      .flatMap(({ member, record }) => {
        const session = decode(record);
        return session && endOf(session, this.#limits) > now ? [{ member, session }] : [];
      })
      .sort(
        (a, b) =>
          b.session.lastSeenAt - a.session.lastSeenAt ||
          b.session.signedInAt - a.session.signedInAt ||
          (a.member < b.member ? -1 : 1),
      );
  }
}

function toListed(sessionId: string, { device, signedInAt, lastSeenAt }: StoredSession): ListedSession {
  return { handle: handleOf(sessionId), device, signedInAt, lastSeenAt };
}
