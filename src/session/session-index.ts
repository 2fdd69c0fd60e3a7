import type { SessionLimits } from '../config.ts';
import { type RedisClient, withDeadline } from '../redis/connect.ts';
import type { EmailAddress } from './email-address.ts';
import { endOf } from './lifetime.ts';
import { decode, handleOf, indexKey, keysOf, type StoredSession, sessionKey, tagOf } from './record.ts';

/** A live session as its owner may see it. Times are milliseconds since the epoch. */
export type ListedSession = Pick<StoredSession, 'device' | 'signedInAt' | 'lastSeenAt'> & {
  /** Public; the id itself stays in the cookie and in Redis. */
  handle: string;
};

// A script and not a transaction: a full Redis refuses to queue even a deletion, and a logout must free memory then.
const endScript = `
local ended = 0
for position = 2, #KEYS do
  ended = ended + redis.call('DEL', KEYS[position])
  redis.call('ZREM', KEYS[1], ARGV[position - 1])
end
return ended`;

/** The sessions of an address: which they are, and ending them (ASVS 7.4.2, 7.4.3, 7.5.2). */
export class SessionIndex {
  readonly #redis: RedisClient;
  readonly #limits: SessionLimits;
  readonly #deadlineMs: number;

  constructor(redis: RedisClient, limits: SessionLimits, deadlineMs: number) {
    this.#redis = redis;
    this.#limits = limits;
    this.#deadlineMs = deadlineMs;
  }

  /**
   * The live sessions of an address, the last used first. Two Redis commands.
   * @throws {RedisUnavailable}
   */
  async list(email: EmailAddress): Promise<ListedSession[]> {
    const tag = tagOf(email);
    const live = await this.#live(tag);
    return live.map(({ member, session }) => listed(tag + member, session));
  }

  /**
   * The session of this id, if it is live.
   * @throws {RedisUnavailable}
   */
  async find(sessionId: string): Promise<ListedSession | undefined> {
    const keys = keysOf(sessionId);
    const stored = keys && (await withDeadline(this.#deadlineMs, this.#redis.get(keys.session)));
    const session = readable(stored);
    return session && endOf(session, this.#limits) > Date.now() ? listed(sessionId, session) : undefined;
  }

  /**
   * Ends one session of an address.
   * @returns whether it was live
   * @throws {RedisUnavailable}
   */
  async end(email: EmailAddress, handle: string): Promise<boolean> {
    const tag = tagOf(email);
    const members = await this.#members(tag);
    const ended = await this.#endMembers(
      tag,
      members.filter((member) => handleOf(tag + member) === handle),
    );
    return ended > 0;
  }

  /**
   * Ends the session of this id.
   * @returns whether it was live
   * @throws {RedisUnavailable}
   */
  async endById(sessionId: string): Promise<boolean> {
    const keys = keysOf(sessionId);
    return keys !== undefined && (await this.#endMembers(keys.tag, [keys.member])) > 0;
  }

  /**
   * Ends every session of an address that existed when this was called, except perhaps one. A session that
   * signs in at the same time lives on, and is listed.
   * @returns how many were live
   * @throws {RedisUnavailable}
   */
  async endAll(email: EmailAddress, options: { exceptId?: string } = {}): Promise<number> {
    const tag = tagOf(email);
    const members = await this.#members(tag);
    return this.#endMembers(
      tag,
      members.filter((member) => tag + member !== options.exceptId),
    );
  }

  /**
   * Ends the longest unused sessions under a tag until `most` are left.
   * @returns the public handles of those that it ended
   * @throws {RedisUnavailable}
   */
  async trim(tag: string, most: number): Promise<string[]> {
    const surplus = (await this.#live(tag)).slice(most).map(({ member }) => member);
    await this.#endMembers(tag, surplus);
    return surplus.map((member) => handleOf(tag + member));
  }

  // In an order that all who ask agree on: of several that sign in at once, each trims, and must trim the same.
  async #live(tag: string): Promise<{ member: string; session: StoredSession }[]> {
    const members = await this.#members(tag);
    if (members.length === 0) return [];
    const keys = members.map((member) => sessionKey(tag, member));
    const stored = await withDeadline(this.#deadlineMs, this.#redis.mGet(keys));
    return members
      .flatMap((member, position) => {
        const session = readable(stored[position]);
        return session && endOf(session, this.#limits) > Date.now() ? [{ member, session }] : [];
      })
      .sort(
        (a, b) =>
          b.session.lastSeenAt - a.session.lastSeenAt ||
          b.session.signedInAt - a.session.signedInAt ||
          (a.member < b.member ? -1 : 1),
      );
  }

  #members(tag: string): Promise<string[]> {
    return withDeadline(this.#deadlineMs, this.#redis.zRange(indexKey(tag), 0, -1));
  }

  /** @returns how many were live */
  async #endMembers(tag: string, members: string[]): Promise<number> {
    if (members.length === 0) return 0;
    const keys = [indexKey(tag), ...members.map((member) => sessionKey(tag, member))];
    const ended = await withDeadline(this.#deadlineMs, this.#redis.eval(endScript, { keys, arguments: members }));
    return Number(ended);
  }
}

function listed(sessionId: string, { device, signedInAt, lastSeenAt }: StoredSession): ListedSession {
  return { handle: handleOf(sessionId), device, signedInAt, lastSeenAt };
}

function readable(stored: string | null | undefined): StoredSession | undefined {
  if (!stored) return undefined;
  try {
    return decode(stored);
  } catch {
    return undefined;
  }
}
