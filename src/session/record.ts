import { createHash, randomBytes } from 'node:crypto';
import type { SessionData } from 'express-session';

declare module 'express-session' {
  interface SessionData {
    /** The identity. Only `signIn()` sets it; the store refuses any other. */
    email: string;
    /** Milliseconds since the epoch; the absolute limit counts from here. */
    signedInAt: number;
    /** Milliseconds since the epoch, exact to the grain of the throttled touch; the idle limit counts from here. */
    lastSeenAt: number;
    /** The visitor asked to be kept signed in. */
    remember: boolean;
    /** Browser and system in words, such as "Firefox on Linux". */
    device: string;
  }
}

/**
 * A session id is the tag of its address and 128 random bits (ASVS 7.2.3), both base64url.
 *
 * The tag, 96 bits of a hash of the address, is the Redis Cluster hash tag of the session's key and of the
 * key that lists the address's sessions, so that both live on one node and are written in one transaction.
 * It is not keyed with a session secret: a rotated secret would hide the older sessions of an address from
 * "end all sessions". Whoever holds a session id can see the address anyway.
 */
const tagLength = 16;
const randomLength = 22;
const idShape = new RegExp(`^([\\w-]{${tagLength}})([\\w-]{${randomLength}})$`);

/** The tag of sessions without an address, which belong to no list. */
export const anonymousTag = 'A'.repeat(tagLength);

/** The tag of an address; see above. */
export function tagOf(email: string): string {
  return createHash('sha256').update(`latchkey:${email}`).digest('base64url').slice(0, tagLength);
}

/** A new session id, unguessable, under this tag. */
export function newSessionId(tag: string): string {
  return tag + randomBytes(16).toString('base64url');
}

/** The Redis keys of a session: its own, and the list it stands in under `member`. */
export type SessionKeys = { session: string; index: string; member: string; tag: string };

/** The keys of a session id, or undefined for what was never one. */
export function keysOf(sessionId: string): SessionKeys | undefined {
  const [, tag, member] = idShape.exec(sessionId) ?? [];
  if (tag === undefined || member === undefined) return undefined;
  return { session: sessionKey(tag, member), index: indexKey(tag), member, tag };
}

export function sessionKey(tag: string, member: string): string {
  return `s:{${tag}}${member}`;
}

export function indexKey(tag: string): string {
  return `i:{${tag}}`;
}

/** A session's public name, for lists, logs and revocation: a hash of its id, which it does not reveal. */
export function handleOf(sessionId: string): string {
  return createHash('sha256').update(sessionId).digest('base64url').slice(0, 16);
}

/** What is stored of a session; the cookie's attributes are configuration and are not. */
export type StoredSession = Omit<SessionData, 'cookie'>;

const stampLength = 8;

/** `lastSeenAt` as it begins every stored session: a fixed width, so that a touch overwrites it in place. */
export function encodeStamp(milliseconds: number): string {
  return Math.floor(milliseconds / 1000)
    .toString(16)
    .padStart(stampLength, '0');
}

/** The stored form: the stamp, then JSON with the names that every session has cut to a letter. */
export function encode(session: StoredSession): string {
  const { email, signedInAt, lastSeenAt, remember, device, ...rest } = session;
  const r = remember ? 1 : undefined;
  return (
    encodeStamp(lastSeenAt) + JSON.stringify({ e: email, s: Math.floor(signedInAt / 1000), r, d: device, ...rest })
  );
}

/**
 * The session that a stored form stands for.
 * @throws {SyntaxError} when it is corrupt or of another shape
 */
export function decode(stored: string): StoredSession {
  const { e, s, r, d, ...rest } = JSON.parse(stored.slice(stampLength));
  const lastSeen = Number.parseInt(stored.slice(0, stampLength), 16);
  if (!(lastSeen > 0) || !(s > 0) || (e !== undefined && typeof e !== 'string')) {
    throw new SyntaxError('a stored session of an unknown shape');
  }
  return {
    ...rest,
    email: e,
    signedInAt: s * 1000,
    lastSeenAt: lastSeen * 1000,
    remember: r === 1,
    device: d,
  };
}
