import { RedisStore } from 'connect-redis';
import type { Request } from 'express';
import type { Session, SessionData } from 'express-session';
import { ErrorReply } from 'redis';
import type { SessionLimits } from '../config.ts';
import { HttpError } from '../http/http-error.ts';
import type { Logger } from '../log.ts';
import { type RedisClient, RedisUnavailable, withDeadline } from '../redis/connect.ts';
import type { cookieAttributes } from './cookie.ts';
import type { EmailAddress } from './email-address.ts';
import { endOf, isTouchDue } from './lifetime.ts';
import {
  anonymousTag,
  decode,
  encode,
  encodeMoment,
  handleOf,
  keysOf,
  type SessionKeys,
  type StoredSession,
  tagOf,
  withLastSeen,
} from './record.ts';
import { SessionIndex } from './session-index.ts';

export type SessionStoreOptions = {
  redis: RedisClient;
  limits: SessionLimits;
  /** Live sessions an address may have; signing in once more ends the longest unused. */
  sessionsPerAddress: number;
  /** Longest wait for each Redis call. */
  deadlineMs: number;
  cookie: ReturnType<typeof cookieAttributes>;
  /** Who may have a session; that of an address that was taken off the list ends when it is shown. */
  isAllowed: (email: EmailAddress) => boolean;
  log: Logger;
  /** Told when Redis refuses what a visitor need not know of. */
  noteOutage: (error: RedisUnavailable) => void;
};

/** The session had ended before it was written: by logout, revocation or expiry. Nothing was stored. */
export class SessionEnded extends HttpError {
  constructor() {
    super(401, 'Your session has ended. Please login first.', { loginUrl: '/login' });
    this.name = 'SessionEnded';
  }
}

type Callback<Value = undefined> = (error: unknown, value?: Value) => void;

// Only a live session is touched, and only its stamp changes: a request that knows older data can neither
// bring a session back nor undo what another request wrote.
const touchScript = `
if redis.call('PEXPIRE', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('SETRANGE', KEYS[1], 0, ARGV[2])
if KEYS[2] then
  redis.call('ZADD', KEYS[2], ARGV[3], ARGV[4])
  redis.call('PEXPIRE', KEYS[2], ARGV[1], 'NX')
  redis.call('PEXPIRE', KEYS[2], ARGV[1], 'GT')
end
return 1`;

/**
 * connect-redis with the life of a session made exact. What differs:
 * - a write never brings an ended session back (connect-redis#328, express-session#632);
 * - a session and its entry in the list of its address are written together or not at all;
 * - both limits are enforced on load, and a session in use is touched only now and then, before the response;
 * - every call has a deadline;
 * - a corrupt session is no session.
 */
export class SessionStore extends RedisStore {
  readonly index: SessionIndex;
  readonly #options: SessionStoreOptions;
  /** The stored form of each session object that was read or written; one that is missing here is new. */
  readonly #stored = new WeakMap<object, string>();
  readonly #touched = new WeakSet<object>();

  constructor(options: SessionStoreOptions) {
    // `get` touches. Express-session would ask for it when the response ends, and hold it back (express-session#891).
    super({ client: options.redis, disableTouch: true });
    this.#options = options;
    this.index = new SessionIndex(options.redis, options.limits, options.deadlineMs);
  }

  /** The session of this id, or null; one Redis command, and another when a touch is due. */
  override get(sessionId: string, callback?: Callback<SessionData | null>): Promise<SessionData | null> {
    return settle(this.#load(sessionId), callback);
  }

  /**
   * Stores a new session, or the changes of one that was loaded.
   * @throws {SessionEnded} when it is no longer there to be changed
   */
  override set(sessionId: string, session: SessionData, callback?: Callback): Promise<undefined> {
    return settle(this.#save(sessionId, session), callback);
  }

  override destroy(sessionId: string, callback?: Callback): Promise<undefined> {
    return settle(this.#delete(sessionId), callback);
  }

  /** A new session for the visitor; the one of before, if it was ever stored, is ended. */
  override regenerate(req: Request, callback: (error?: unknown) => void): void {
    if (this.#stored.has(req.session)) {
      const { log } = this.#options;
      const session = handleOf(req.sessionID);
      super.regenerate(req, (error) => {
        if (!error) log.info({ id: req.id, session, by: 'new sign-in' }, 'session ended');
        callback(error);
      });
    } else {
      // Its id has the tag of all sessions without an address: in a Cluster, each sign-in would ask the one node of it.
      req.sessionStore.generate(req);
      callback();
    }
  }

  override createSession(req: Request, data: SessionData): Session & SessionData {
    const session = super.createSession(req, data);
    const stored = this.#stored.get(data);
    if (stored !== undefined) this.#stored.set(session, stored);
    if (this.#touched.has(data)) this.#touched.add(session);
    return session;
  }

  /** Whether loading this session moved its idle limit on, so that a persistent cookie must follow. */
  wasTouched(session: SessionData | Partial<SessionData>): boolean {
    return this.#touched.has(session);
  }

  /** Whether this session is as Redis has it, so that there is nothing to save. */
  isSaved(session: Partial<SessionData> | undefined): boolean {
    const stored = session && this.#stored.get(session);
    return stored !== undefined && stored === encode(session as StoredSession);
  }

  /** The methods of connect-redis that scan the whole keyspace (connect-redis#203) are not for use. */
  override all(): Promise<never> {
    return refuseToScan();
  }
  override ids(): Promise<never> {
    return refuseToScan();
  }
  override length(): Promise<never> {
    return refuseToScan();
  }
  override clear(): Promise<never> {
    return refuseToScan();
  }

  async #load(sessionId: string): Promise<SessionData | null> {
    const { redis, limits, deadlineMs, isAllowed, log } = this.#options;
    const keys = keysOf(sessionId);
    if (!keys) return null;

    let session: SessionData;
    let stored: string | null;
    try {
      stored = await withDeadline(deadlineMs, redis.get(keys.session));
      if (stored === null) return null;
      const record = decode(stored);
      requireTag(keys, record.email);
      session = Object.assign(record, { cookie: this.#cookieOf(record) });
    } catch (error) {
      if (!isCorruption(error)) throw error;
      log.warn({ session: handleOf(sessionId) }, 'a stored session is corrupt; its visitor is signed out');
      return null;
    }
    const now = Date.now();
    if (endOf(session, limits) <= now) return null;
    if (session.email !== undefined && !isAllowed(session.email)) {
      // For good: who comes back onto the list must not find the sessions of whoever made them leave it.
      const wasLive = await this.index.endById(sessionId);
      if (wasLive) log.info({ session: handleOf(sessionId), by: 'ALLOWED_EMAILS' }, 'session ended');
      return null;
    }
    if (isTouchDue(session, limits, now) && !(await this.#touchOnLoad(keys, session))) return null;
    this.#stored.set(session, withLastSeen(stored, session.lastSeenAt));
    return session;
  }

  #cookieOf(record: StoredSession): SessionData['cookie'] {
    const { limits, cookie } = this.#options;
    const expires = record.remember ? new Date(endOf(record, limits)) : null;
    return { ...cookie, expires, originalMaxAge: expires && expires.valueOf() - Date.now() };
  }

  /** @returns false when the session ended meanwhile */
  async #touchOnLoad(keys: SessionKeys, session: SessionData): Promise<boolean> {
    try {
      return await this.#touch(keys, session);
    } catch (error) {
      // A replica says no: the visitor keeps the time that is left.
      if (!(error instanceof RedisUnavailable && error.cause instanceof ErrorReply)) throw error;
      this.#options.noteOutage(error);
      return true;
    }
  }

  async #touch(keys: SessionKeys, session: SessionData): Promise<boolean> {
    const { redis, limits, deadlineMs } = this.#options;
    const now = Date.now();
    const endsAt = endOf({ ...session, lastSeenAt: now }, limits);
    // In Redis, an expiry of 0 would delete the session, and the stamp then make a key anew that never ends.
    if (endsAt <= now) return false;
    const listed = session.email !== undefined;
    const alive = await withDeadline(
      deadlineMs,
      redis.eval(touchScript, {
        keys: listed ? [keys.session, keys.index] : [keys.session],
        arguments: [String(endsAt - now), encodeMoment(now), String(endsAt), keys.member],
      }),
    );
    if (alive !== 1) return false;
    session.lastSeenAt = Math.floor(now / 1000) * 1000;
    session.cookie = this.#cookieOf(session);
    this.#touched.add(session);
    return true;
  }

  async #save(sessionId: string, session: SessionData): Promise<undefined> {
    const { redis, limits, deadlineMs, sessionsPerAddress } = this.#options;
    const keys = keysOf(sessionId);
    if (!keys) throw new Error('not a session id of ours');
    requireTag(keys, session.email);

    const now = Date.now();
    // A stranger's session begins when something is first kept in it.
    session.signedInAt ??= now;
    session.lastSeenAt ??= now;
    const encoded = encode(session);
    const known = this.#stored.get(session);
    // After regenerate and save, express-session saves once more (express-session#935).
    if (known === encoded) return;

    if (known !== undefined) {
      const write = redis.set(keys.session, encoded, { condition: 'XX', expiration: 'KEEPTTL' });
      if ((await withDeadline(deadlineMs, write)) === null) throw new SessionEnded();
    } else {
      const millisecondsLeft = Math.max(1, endOf(session, limits) - now);
      // A persistent cookie lives as long as its session.
      if (session.remember) session.cookie.maxAge = millisecondsLeft;
      const listed = await this.#create(keys, encoded, session, millisecondsLeft);
      if (listed > sessionsPerAddress) await this.#trim(keys.tag);
    }
    this.#stored.set(session, encoded);
  }

  /** @returns how many sessions its address now has */
  async #create(keys: SessionKeys, encoded: string, record: StoredSession, millisecondsLeft: number): Promise<number> {
    const write = this.#options.redis
      .multi()
      .set(keys.session, encoded, { condition: 'NX', expiration: { type: 'PX', value: millisecondsLeft } });
    if (record.email !== undefined) {
      write
        .zRemRangeByScore(keys.index, '-inf', Date.now())
        .zAdd(keys.index, { score: Date.now() + millisecondsLeft, value: keys.member })
        .pExpire(keys.index, millisecondsLeft, 'NX')
        .pExpire(keys.index, millisecondsLeft, 'GT')
        .zCard(keys.index);
    }
    const replies = await withDeadline(this.#options.deadlineMs, write.exec());
    if (replies[0] === null) throw new Error('a new session id was taken already');
    return Number(replies.at(-1)) || 0;
  }

  async #trim(tag: string): Promise<void> {
    const { sessionsPerAddress, log } = this.#options;
    for (const session of await this.index.trim(tag, sessionsPerAddress)) {
      log.info({ session, by: 'SESSIONS_PER_ADDRESS' }, 'session ended');
    }
  }

  async #delete(sessionId: string): Promise<undefined> {
    await this.index.endById(sessionId);
  }
}

function requireTag(keys: SessionKeys, email: EmailAddress | undefined): void {
  if (keys.tag !== (email === undefined ? anonymousTag : tagOf(email))) throw new WrongIdentity();
}

/** `req.session.email` was set by something other than `signIn()`. */
class WrongIdentity extends Error {
  constructor() {
    super('a session id and the address in its session do not belong together: only signIn() sets req.session.email');
    this.name = 'WrongIdentity';
  }
}

function isCorruption(error: unknown): boolean {
  if (error instanceof RedisUnavailable) {
    return error.cause instanceof ErrorReply && error.cause.message.startsWith('WRONGTYPE');
  }
  return error instanceof SyntaxError || error instanceof WrongIdentity;
}

function refuseToScan(): Promise<never> {
  return Promise.reject(new Error('this would scan the whole keyspace; use the session index'));
}

// The callback runs outside the promise: thrown errors of the code behind it are not ours to report,
// and connect-redis would call it a second time.
function settle<Value>(work: Promise<Value>, callback: Callback<Value> | undefined): Promise<Value> {
  if (callback) {
    work.then(
      (value) => process.nextTick(callback, null, value),
      (error: unknown) => process.nextTick(callback, error),
    );
  }
  return callback ? Promise.resolve(undefined as Value) : work;
}
