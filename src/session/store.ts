import { RedisStore } from 'connect-redis';
import type { Request } from 'express';
import type { Session, SessionData } from 'express-session';
import { ErrorReply } from 'redis';
import type { SessionLog } from '../log.ts';
import { RedisUnavailable, deadlineMs as usualDeadlineMs } from '../redis/deadline.ts';
import { SessionCommands, type SessionRedis } from './commands.ts';
import { cookieAttributes } from './cookie.ts';
import type { EmailAddress } from './email-address.ts';
import { checkLimits, endOf, isTouchDue, type SessionLimits } from './lifetime.ts';
import {
  belongTogether,
  decode,
  encode,
  handleOf,
  keysOf,
  type SessionKeys,
  type StoredSession,
  withLastSeen,
} from './record.ts';
import { SessionIndex } from './session-index.ts';

export type SessionStoreOptions = {
  redis: SessionRedis;
  limits: SessionLimits;
  /** Whether visitors come by https: the cookie is then `Secure`. */
  https: boolean;
  /** Live sessions an address may have; one more sign-in ends the least recently used. Default: 50. */
  sessionsPerAddress?: number;
  /** Longest wait for each Redis call. Default: a second. */
  deadlineMs?: number;
  /** Who may have a session; that of an address no longer allowed ends at its next request. Default: everybody. */
  isAllowed?: (email: EmailAddress) => boolean;
  log?: SessionLog;
  /** Told when Redis refuses something that no visitor needs to know about. */
  noteOutage?: (error: RedisUnavailable) => void;
};

const defaults = {
  sessionsPerAddress: 50,
  deadlineMs: usualDeadlineMs,
  isAllowed: () => true,
  log: { info() {}, warn() {} },
  noteOutage() {},
};

type Callback<Value = undefined> = (error: unknown, value?: Value) => void;

/**
 * connect-redis with the life of a session made exact:
 * - a write never brings an ended session back (connect-redis#328, express-session#632);
 * - a session and its entry in the list of its address are written together or not at all;
 * - both limits are enforced on load, and a session in use is touched only now and then, before the response;
 * - every call has a deadline;
 * - a record that can't be read is no session, and no error.
 */
export class SessionStore extends RedisStore {
  readonly index: SessionIndex;
  readonly https: boolean;
  readonly #options: Required<SessionStoreOptions>;
  readonly #commands: SessionCommands;
  /** The record of each session object that was loaded or saved; one that is not here is new. */
  readonly #records = new WeakMap<object, string>();
  readonly #touched = new WeakSet<object>();

  constructor(options: SessionStoreOptions) {
    // Loading touches. Express-session would touch when the response ends, and delay it (express-session#891).
    super({ client: noScans, disableTouch: true });
    checkLimits(options.limits);
    this.https = options.https;
    this.#options = { ...defaults, ...options };
    this.#commands = new SessionCommands(options.redis, this.#options.deadlineMs);
    this.index = new SessionIndex(this.#commands, options.limits);
  }

  /** The session with this id, or null; one Redis command, and another when a touch is due. */
  override get(sessionId: string, callback?: Callback<SessionData | null>): Promise<SessionData | null> {
    return settle(this.#load(sessionId), callback);
  }

  /** The same, but it does not count as use: neither limit moves. */
  async peek(sessionId: string): Promise<SessionData | null> {
    const keys = keysOf(sessionId);
    return keys ? ((await this.#read(keys))?.session ?? null) : null;
  }

  /**
   * Stores a new session, or the changes of a loaded one. When two requests change a session at the same time, all of
   * it is as the later one leaves it.
   * @throws {SessionEnded} when it is no longer there to be changed
   */
  override set(sessionId: string, session: SessionData, callback?: Callback): Promise<undefined> {
    return settle(this.#save(sessionId, session), callback);
  }

  override destroy(sessionId: string, callback?: Callback): Promise<undefined> {
    return settle(
      this.index.endById(sessionId).then(() => undefined),
      callback,
    );
  }

  /** Gives the visitor a new session; the previous one, if it was ever stored, is ended. */
  override regenerate(req: Request, callback: (error?: unknown) => void): void {
    if (this.#records.has(req.session)) {
      const session = handleOf(req.sessionID);
      super.regenerate(req, (error) => {
        if (!error) this.#options.log.info({ id: req.id, session, by: 'new sign-in' }, 'session ended');
        callback(error);
      });
    } else {
      // All ids without an address share a tag: in a Cluster, every sign-in would ask the same node.
      req.sessionStore.generate(req);
      callback();
    }
  }

  override createSession(req: Request, data: SessionData): Session & SessionData {
    const session = super.createSession(req, data);
    const record = this.#records.get(data);
    if (record !== undefined) this.#records.set(session, record);
    if (this.#touched.has(data)) this.#touched.add(session);
    return session;
  }

  /** Whether loading this session moved its idle limit, so that a persistent cookie must follow. */
  wasTouched(session: Partial<SessionData>): boolean {
    return this.#touched.has(session);
  }

  /** Whether this session differs from what Redis has. */
  hasChanges(session: Partial<SessionData> | undefined): boolean {
    if (!session) return false;
    const record = this.#records.get(session);
    return record === undefined ? fieldsOf(session).length > 0 : record !== encode(session as StoredSession);
  }

  /** Takes back what was changed in this session since it was last stored. */
  discardChanges(session: Partial<SessionData>): void {
    const record = this.#records.get(session);
    for (const field of fieldsOf(session)) Reflect.deleteProperty(session, field);
    if (record !== undefined) Object.assign(session, decode(record));
  }

  async #load(sessionId: string): Promise<SessionData | null> {
    const keys = keysOf(sessionId);
    const found = keys && (await this.#read(keys));
    if (!found) return null;
    const { session, record, now } = found;
    if (isTouchDue(session, this.#options.limits, now) && !(await this.#touch(keys, session, now))) return null;
    this.#records.set(session, withLastSeen(record, session.lastSeenAt));
    return session;
  }

  async #read(keys: SessionKeys): Promise<{ session: SessionData; record: string; now: number } | null> {
    const { limits, isAllowed, log } = this.#options;
    const record = await this.#commands.read(keys);
    if (record === null) return null;
    const now = Date.now();
    const stored = decode(record);
    if (!stored || !belongTogether(keys, stored.email)) {
      log.warn({ session: handleOf(keys.tag + keys.member) }, 'a stored session is corrupt; its visitor is signed out');
      return null;
    }
    if (endOf(stored, limits) <= now) return null;
    if (stored.email !== undefined && !isAllowed(stored.email)) {
      // For good: when the address is allowed again, sessions from before must not come back with it.
      const wasLive = await this.#commands.end(keys.tag, [keys.member]);
      if (wasLive > 0) log.info({ session: handleOf(keys.tag + keys.member), by: 'ALLOWED_EMAILS' }, 'session ended');
      return null;
    }
    return { session: Object.assign(stored, { cookie: this.#cookieOf(stored) }), record, now };
  }

  #cookieOf(session: StoredSession): SessionData['cookie'] {
    const expires = session.remember ? new Date(endOf(session, this.#options.limits)) : null;
    const originalMaxAge = expires && expires.valueOf() - Date.now();
    return { ...cookieAttributes(this.https), expires, originalMaxAge };
  }

  /** @returns false when the session has ended meanwhile */
  async #touch(keys: SessionKeys, session: SessionData, now: number): Promise<boolean> {
    const endsAt = endOf({ ...session, lastSeenAt: now }, this.#options.limits);
    try {
      if (!(await this.#commands.touch(keys, { now, endsAt, isListed: session.email !== undefined }))) return false;
    } catch (error) {
      // A replica refuses to write: the visitor keeps the time that is left.
      if (!(error instanceof RedisUnavailable && error.cause instanceof ErrorReply)) throw error;
      this.#options.noteOutage(error);
      return true;
    }
    session.lastSeenAt = Math.floor(now / 1000) * 1000;
    session.cookie = this.#cookieOf(session);
    this.#touched.add(session);
    return true;
  }

  async #save(sessionId: string, session: SessionData): Promise<undefined> {
    const keys = keysOf(sessionId);
    if (!keys || !belongTogether(keys, session.email)) {
      throw new Error('the session id and req.session.email do not belong together: only signIn() sets the address');
    }
    const now = Date.now();
    // An anonymous session begins when something is first kept in it.
    session.signedInAt ??= now;
    session.lastSeenAt ??= now;
    const record = encode(session);
    const previous = this.#records.get(session);
    // After regenerate and save, express-session saves once more (express-session#935).
    if (previous === record) return;
    if (previous === undefined) await this.#create(keys, session, record, now);
    else await this.#commands.replace(keys, record);
    this.#records.set(session, record);
  }

  async #create(keys: SessionKeys, session: SessionData, record: string, now: number): Promise<void> {
    const { limits, sessionsPerAddress, log } = this.#options;
    const endsAt = endOf(session, limits);
    const isListed = session.email !== undefined;
    const count = await this.#commands.create(keys, record, { now, endsAt, isListed });
    // A persistent cookie lives as long as its session.
    if (session.remember) session.cookie.maxAge = endsAt - now;
    if (!isListed || count <= sessionsPerAddress) return;
    for (const ended of await this.index.trim(keys.tag, sessionsPerAddress)) {
      log.info({ session: ended, by: 'SESSIONS_PER_ADDRESS' }, 'session ended');
    }
  }
}

/** In place of a client for connect-redis, whose other methods scan the whole keyspace (connect-redis#203). */
const noScans = {
  scanIterator(): never {
    throw new Error('this would scan the whole keyspace; use the session index');
  },
};

function fieldsOf(session: Partial<SessionData>): string[] {
  return Object.keys(session).filter((field) => field !== 'cookie');
}

// The callback runs outside the promise: errors thrown by the code behind it are not ours to report, and connect-redis
// would call it a second time.
function settle<Value>(work: Promise<Value>, callback: Callback<Value> | undefined): Promise<Value> {
  if (!callback) return work;
  work.then(
    (value) => process.nextTick(callback, null, value),
    (error: unknown) => process.nextTick(callback, error),
  );
  return Promise.resolve(undefined as Value);
}
