import { createHash, randomBytes } from 'node:crypto';
import type { SessionData } from 'express-session';
import type { EmailAddress } from './email-address.ts';

declare module 'express-session' {
  interface SessionData {
    /** The identity, absent before sign-in. Only `signIn()` sets it; the store refuses any other. */
    email?: EmailAddress | undefined;
    /** Milliseconds since the epoch; the absolute limit counts from here. */
    signedInAt: number;
    /** Milliseconds since the epoch, exact to the grain of the throttled touch; the idle limit counts from here. */
    lastSeenAt: number;
    /** The visitor asked to be kept signed in. */
    remember: boolean;
    /** Browser and system in words, such as "Firefox on Linux". */
    device?: string | undefined;
  }
}

/**
 * A session id is the tag of its address and 128 random bits (ASVS 7.2.3), both base64url.
 *
 * The tag, 84 bits of a hash of the address, decides in a Redis Cluster where the session lives, and where the
 * key that lists the address's sessions does, so that both are on one node and written in one transaction.
 * It is not keyed with a session secret: a rotated secret would hide the older sessions of an address from
 * "end all sessions". Whoever holds a session id can see the address anyway.
 */
const tagLength = 14;
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

/** The key of the session that stands in the list of a tag under this member. */
export function sessionKey(tag: string, member: string): string {
  return `{${tag}}${member}`;
}

/** The bare tag: Cluster takes what is in braces for the whole, and a prefix would cost each address 16 bytes. */
export function indexKey(tag: string): string {
  return tag;
}

/** A session's public name, for lists, logs and revocation: a hash of its id, which it does not reveal. */
export function handleOf(sessionId: string): string {
  return createHash('sha256').update(sessionId).digest('base64url').slice(0, 16);
}

/** What every stored session has; the cookie's attributes are configuration and are not stored. */
export type StoredSession = Omit<SessionData, 'cookie'>;

const columns = new Set(['cookie', 'email', 'signedInAt', 'lastSeenAt', 'remember', 'device']);
const storedShape = /^([\da-f]{8})([\da-z]{8})([01])([^\n]*)\n([^\n]*)(?:\n([^\n]+))?$/;

/** When a session was last seen, as it stands there: of a fixed width, so that a touch overwrites it in place. */
export function encodeMoment(milliseconds: number): string {
  return Math.floor(milliseconds / 1000)
    .toString(16)
    .padStart(8, '0');
}

/** A stored session as it is after a touch. */
export function withLastSeen(stored: string, milliseconds: number): string {
  return encodeMoment(milliseconds) + stored.slice(8);
}

/**
 * The stored form: when it was last seen, in hexadecimal seconds; when it signed in, in milliseconds of base 36, which
 * eight digits hold until 2059; whether it is remembered, the address, a line with the device, and if a fork keeps more
 * in its sessions, a line of JSON with that.
 * @throws {TypeError} when the address or the device has a line break in it
 */
export function encode({ email, device = '', ...session }: StoredSession): string {
  if (email?.includes('\n') || device.includes('\n')) throw new TypeError('a line break in an address or a device');
  const moments = encodeMoment(session.lastSeenAt) + session.signedInAt.toString(36).padStart(8, '0');
  const others = Object.entries(session).filter(([name]) => !columns.has(name));
  const json = others.length > 0 ? `\n${JSON.stringify(Object.fromEntries(others))}` : '';
  return `${moments}${session.remember ? 1 : 0}${email ?? ''}\n${device}${json}`;
}

/**
 * The session that a stored form stands for.
 * @throws {SyntaxError} when it is corrupt or of another shape
 */
export function decode(stored: string): StoredSession {
  const [, lastSeen = '', signedIn = '', remember, email, device, json] = storedShape.exec(stored) ?? [];
  const session: StoredSession = {
    email: email ? (email as EmailAddress) : undefined,
    signedInAt: Number.parseInt(signedIn, 36),
    lastSeenAt: Number.parseInt(lastSeen, 16) * 1000,
    remember: remember === '1',
    device: device || undefined,
  };
  if (!(session.lastSeenAt > 0) || !(session.signedInAt > 0)) {
    throw new SyntaxError('a stored session of an unknown shape');
  }
  return json === undefined ? session : { ...JSON.parse(json), ...session };
}
