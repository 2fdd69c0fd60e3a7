import { RedisStore } from 'connect-redis';
import type { Request } from 'express';
import type { Session, SessionData } from 'express-session';
import { now } from '../clock.ts';
import { requestFields, type SessionLog } from '../log.ts';
import { isRefusal, type RedisUnavailable } from '../redis/deadline.ts';
import { type SessionCommands, SessionEnded, type SessionRedis, sessionCommands } from './commands.ts';
import { cookieAttributes } from './cookie.ts';
import type { EmailAddress } from './email-address.ts';
import { endOf, minSignedInAt, type SessionLimits, touchGrainSeconds } from './lifetime.ts';
import { decode, encode, encodeMoment, type StoredSession } from './record.ts';
import { createScript, replaceScript, reserved, touchScript } from './scripts.ts';
import { belongsTo, handleOf, isSessionId, keysOf, memberOf, sessionKey, tagIn } from './session-id.ts';
import { SessionIndex } from './session-index.ts';

export type SessionStoreOptions = {
  redis: SessionRedis;
  limits: SessionLimits;
  /** Whether visitors come by https: the cookie is then `Secure`. */
  https: boolean;
  /** Live sessions an address may have; one more sign-in ends the least recently used. */
  sessionsPerAddress: number;
  /** For each Redis call. Default: a second. */
  deadlineMs?: number;
  /** Who may have a session; that of an address no longer allowed ends at its next request. */
  isAllowed: (email: EmailAddress) => boolean;
  log: SessionLog;
  /** Told when Redis refuses something that no visitor needs to know about. */
  noteOutage: (error: RedisUnavailable) => void;
};

/** In place of a client for connect-redis, whose other methods scan the whole keyspace (connect-redis#203). */
const noScans = {
  scanIterator(): never {
    throw new Error('this would scan the whole keyspace; use the session index');
  },
};

type Callback<Value> = (error: unknown, value?: Value) => void;
type Found = { session: SessionData; record: string; readAt: number };

/**
 * connect-redis with the life of a session made exact:
 * - a write never brings an ended session back (connect-redis#328, express-session#632);
 * - a session and its entry in the list of its address are written together or not at all;
 * - both limits are enforced on load, and a session in use is touched only now and then, before the response;
 * - every call has a deadline, and a record that can't be read is no session, and no error.
 */
export class SessionStore extends RedisStore {
  readonly index: SessionIndex;
  readonly https: boolean;
  readonly log: SessionLog;
  /** Stores the changes to a session; a feature may keep more of what is stored already. */
  replaceScript = replaceScript;
  /** Whether an address may have a session; only `true` is a yes, which a promise is not. */
  readonly isAllowed = (email: EmailAddress): boolean => this.#options.isAllowed(email) === true;
  readonly #options: SessionStoreOptions;
  readonly #commands: SessionCommands;
  /** What Redis has of each session object that was loaded or saved; an object that is not here is new. */
  readonly #stored = new WeakMap<object, { record: string; isTouched: boolean }>();
  /** The latest save of each session object. The next save waits for it; otherwise it would find its own id already taken. */
  readonly #saves = new WeakMap<object, Promise<void>>();

  constructor(options: SessionStoreOptions) {
    // Loading touches. Express-session would touch when the response ends, and delay it (express-session#891).
    super({ client: noScans, disableTouch: true });
    this.#options = options;
    this.https = options.https;
    this.log = options.log;
    this.#commands = sessionCommands(options.redis, options.deadlineMs);
    this.index = new SessionIndex(this.#commands, options.limits);
  }

  /** The session with this id, or null; one Redis command, and another when a touch is due. */
  override get(sessionId: string, callback?: Callback<SessionData | null>): Promise<SessionData | null> {
    return settle(this.#load(sessionId), callback);
  }

  /** The same, but it does not count as use: neither limit moves. */
  async peek(sessionId: string): Promise<SessionData | null> {
    return (await this.#read(sessionId))?.session ?? null;
  }

  /**
   * Stores a new session, or the changes of a loaded one. Of concurrent saves, the last one wins: it replaces all.
   * @throws {SessionEnded} when it is no longer there to be changed
   */
  override set(sessionId: string, session: SessionData, callback?: Callback<void>): Promise<void> {
    const save = () => this.#save(sessionId, session);
    const saved = this.#saves.get(session)?.then(save, save) ?? save();
    this.#saves.set(session, saved);
    return settle(saved, callback);
  }

  override destroy(sessionId: string, callback?: Callback<boolean>): Promise<boolean> {
    return settle(this.index.endById(sessionId), callback);
  }

  /** Gives the visitor a new session; the previous one, if it was ever stored, is ended. */
  override regenerate(req: Request, callback: (error?: unknown) => void): void {
    if (!this.#stored.has(req.session)) {
      // All ids without an address share a tag: in a Cluster, every sign-in would ask the same node.
      req.sessionStore.generate(req);
      return void callback();
    }
    const session = handleOf(req.sessionID);
    super.regenerate(req, (error) => {
      if (!error) this.log.info({ ...requestFields(req), session, by: 'new sign-in' }, 'session ended');
      callback(error);
    });
  }

  override createSession(req: Request, data: SessionData): Session & SessionData {
    const session = super.createSession(req, data);
    const stored = this.#stored.get(data);
    if (stored) this.#stored.set(session, stored);
    return session;
  }

  /** Whether loading this session moved its idle limit, so that a persistent cookie must follow. */
  wasTouched(session: Partial<SessionData>): boolean {
    return this.#stored.get(session)?.isTouched ?? false;
  }

  /** Whether this session differs from what Redis has. */
  hasChanges(session: Partial<SessionData> | undefined): boolean {
    if (!session) return false;
    const stored = this.#stored.get(session);
    try {
      return stored ? stored.record !== encode(session as StoredSession) : fieldsOf(session).length > 0;
    } catch {
      return true; // It can't be serialized, for example with a circular reference: the save fails and says so.
    }
  }

  /** Takes back what was changed in this session since it was last stored. */
  discardChanges(session: Partial<SessionData>): void {
    for (const field of fieldsOf(session)) Reflect.deleteProperty(session, field);
    Object.assign(session, decode(this.#stored.get(session)?.record ?? ''));
  }

  async #load(sessionId: string): Promise<SessionData | null> {
    const found = await this.#read(sessionId);
    if (!found) return null;
    const { session, record, readAt } = found;
    const isTouchDue = readAt - session.lastSeenAt >= touchGrainSeconds(session, this.#options.limits) * 1000;
    const touch = isTouchDue ? await this.#touch(sessionId, session, readAt) : 'refused';
    if (touch === 'ended') return null;
    const isTouched = touch === 'done';
    this.#stored.set(session, { record: isTouched ? encode(session) : record, isTouched });
    return session;
  }

  async #read(sessionId: string): Promise<Found | null> {
    const record = isSessionId(sessionId) ? await this.#commands.read(sessionKey(sessionId)) : null;
    if (record === null || record === reserved) return null;
    const readAt = now();
    const stored = decode(record);
    if (!stored || !belongsTo(sessionId, stored.email)) {
      this.log.warn({ session: handleOf(sessionId) }, 'a stored session is corrupt; its visitor is signed out');
      return null;
    }
    if (endOf(stored, this.#options.limits) <= readAt) return null;
    if (stored.email !== undefined && !this.isAllowed(stored.email)) {
      // For good: when the address is allowed again, sessions from before must not come back with it.
      const wasLive = await this.index.endById(sessionId);
      if (wasLive) this.log.info({ session: handleOf(sessionId), by: 'ALLOWED_EMAILS' }, 'session ended');
      return null;
    }
    return { session: Object.assign(stored, { cookie: this.#cookieOf(stored) }), record, readAt };
  }

  #cookieOf(session: StoredSession): SessionData['cookie'] {
    const expires = session.remember ? new Date(endOf(session, this.#options.limits)) : null;
    // Express-session makes `expires` of it again, by this machine's clock.
    return { ...cookieAttributes(this.https), expires, originalMaxAge: expires && expires.valueOf() - Date.now() };
  }

  async #touch(sessionId: string, session: SessionData, at: number): Promise<'done' | 'ended' | 'refused'> {
    const endsAt = endOf({ ...session, lastSeenAt: at }, this.#options.limits);
    const values = [encodeMoment(at), at, endsAt, memberOf(sessionId)];
    try {
      if ((await this.#commands.run(touchScript, keysOf(sessionId), values)) !== 1) return 'ended';
    } catch (error) {
      // A replica refuses to write: the visitor keeps the time that is left.
      if (!isRefusal(error)) throw error;
      this.#options.noteOutage(error);
      return 'refused';
    }
    Object.assign(session, { lastSeenAt: Math.floor(at / 1000) * 1000 });
    session.cookie = this.#cookieOf(session);
    return 'done';
  }

  async #save(sessionId: string, session: SessionData): Promise<void> {
    const stored = this.#stored.get(session);
    const at = now();
    // An anonymous session begins when something is first kept in it. This clock may be behind the one that counts.
    const signedInAt = Math.max(at, minSignedInAt(this.#options.limits));
    if (!stored) Object.assign(session, { signedInAt, lastSeenAt: at, remember: false, ...(session.email && session) });
    const record = encode(session);
    const [identity = ''] = stored?.record.split('\n', 1) ?? [];
    if (!isSessionId(sessionId) || !belongsTo(sessionId, session.email) || !record.startsWith(identity)) {
      throw new Error('only signIn() sets the id of a session, and its email, signedInAt, lastSeenAt and remember');
    }
    // After regenerate and save, express-session saves once more (express-session#935).
    if (stored?.record === record) return;
    if (!stored) await this.#create(sessionId, session, record, at);
    else if ((await this.#commands.run(this.replaceScript, [sessionKey(sessionId)], [record])) !== 1)
      throw new SessionEnded();
    this.#stored.set(session, { record, isTouched: stored?.isTouched ?? false });
  }

  async #create(sessionId: string, session: SessionData, record: string, createdAt: number): Promise<void> {
    const endsAt = endOf(session, this.#options.limits);
    const values = [record, createdAt, endsAt, memberOf(sessionId)];
    const count = await this.#commands.run(createScript, keysOf(sessionId), values);
    if (count === -1) throw new Error('a new session id was taken already');
    // A persistent cookie lives as long as its session.
    if (session.remember) session.cookie.expires = new Date(endsAt);
    if (Number(count) <= this.#options.sessionsPerAddress) return;
    for (const ended of await this.index.trim(tagIn(sessionId), this.#options.sessionsPerAddress)) {
      this.log.info({ session: ended, by: 'SESSIONS_PER_ADDRESS' }, 'session ended');
    }
  }
}

function fieldsOf(session: Partial<SessionData>): string[] {
  return Object.keys(session).filter((field) => field !== 'cookie');
}

// The callback runs outside the promise: errors thrown by the code behind it are not ours to report, and connect-redis
// would call it a second time.
function settle<Value>(work: Promise<Value>, callback: Callback<Value> | undefined): Promise<Value> {
  const call = callback && ((error: unknown, value?: Value) => process.nextTick(callback, error, value));
  if (call) work.then((value) => call(null, value), call);
  return work;
}
