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
 * The tag is 84 bits of a hash of the address. In a Redis Cluster it decides which slot holds the session and the list of
 * the address's sessions, so that both are on one node and change together. It is not keyed with a session secret, since
 * rotating the secret would hide older sessions from "end all sessions". Whoever holds a session id can see the address
 * anyway.
 */
const tagLength = 14;
const randomLength = 22;
const idShape = new RegExp(`^([\\w-]{${tagLength}})([\\w-]{${randomLength}})$`);

/** The tag of sessions without an address, which are in no list. */
export const anonymousTag = 'A'.repeat(tagLength);

/** The tag of an address; see above. */
export function tagOf(email: string): string {
  return createHash('sha256').update(`latchkey:${email}`).digest('base64url').slice(0, tagLength);
}

/** The tag in a session id. */
export function tagIn(sessionId: string): string {
  return sessionId.slice(0, tagLength);
}

/** A new, unguessable session id with this tag. */
export function newSessionId(tag: string): string {
  return tag + randomBytes(16).toString('base64url');
}

/** The Redis keys of a session: its own, and that of the list which has it as `member`. */
export type SessionKeys = { session: string; index: string; member: string; tag: string };

/** The keys of a session id, or undefined if it can't be one. */
export function keysOf(sessionId: string): SessionKeys | undefined {
  const [, tag, member] = idShape.exec(sessionId) ?? [];
  if (tag === undefined || member === undefined) return undefined;
  return { session: sessionKey(tag, member), index: indexKey(tag), member, tag };
}

/** The key of the session that is this member of a tag's list. */
export function sessionKey(tag: string, member: string): string {
  return `{${tag}}${member}`;
}

/** The bare tag hashes to the same Cluster slot as the tag in braces, and a prefix would cost each address 16 bytes. */
export function indexKey(tag: string): string {
  return tag;
}

/** A session's public name, for lists, logs and revocation: a hash of its id, which it does not reveal. */
export function handleOf(sessionId: string): string {
  return createHash('sha256').update(sessionId).digest('base64url').slice(0, 16);
}

/** What every stored session has; the cookie's attributes are configuration and are not stored. */
export type StoredSession = Omit<SessionData, 'cookie'>;

const ownFields = ['cookie', 'email', 'signedInAt', 'lastSeenAt', 'remember', 'device'] as const;
const columns = new Set<string>(ownFields);

/** What every session has by itself; anything else is a fork's. */
export type OwnField = (typeof ownFields)[number];
const recordShape = /^([\da-f]{8})([\da-z]{8})([01])([^\n]*)\n([^\n]*)(?:\n(\{[^\n]*\}))?$/;

/** When a session was last seen, in a fixed width, so that a touch can overwrite it in place. */
export function encodeMoment(milliseconds: number): string {
  return Math.floor(milliseconds / 1000)
    .toString(16)
    .padStart(8, '0');
}

/** The record after a touch. */
export function withLastSeen(record: string, milliseconds: number): string {
  return encodeMoment(milliseconds) + record.slice(8);
}

/**
 * The record of a session: when it was last seen, in hexadecimal seconds; when it signed in, in milliseconds of base 36,
 * which fit into eight digits until 2059; whether it is remembered, 0 or 1; its address; a line with the device; and a
 * line of JSON with whatever else a fork keeps in its sessions. A later version of this shape has another digit in place
 * of the 0 or 1, so that this one refuses to read it.
 * @throws {TypeError} when the address or the device has a line break in it
 */
export function encode(session: StoredSession): string {
  const { email, device = '' } = session;
  if (email?.includes('\n') || device.includes('\n')) throw new TypeError('a line break in an address or a device');
  const moments = encodeMoment(session.lastSeenAt) + session.signedInAt.toString(36).padStart(8, '0');
  const others = extraFields(session);
  const json = others.length > 0 ? `\n${JSON.stringify(Object.fromEntries(others))}` : '';
  return `${moments}${session.remember ? 1 : 0}${email ?? ''}\n${device}${json}`;
}

/** What a fork keeps in a session. */
export function extraFields(session: Partial<SessionData>): [name: string, value: unknown][] {
  return Object.entries(session).filter(([name, value]) => !columns.has(name) && value !== undefined);
}

/** The session in a record; undefined for one that is corrupt or of another shape. */
export function decode(record: string): StoredSession | undefined {
  const [, lastSeen = '', signedIn = '', remember, email, device, json] = recordShape.exec(record) ?? [];
  const session: StoredSession = {
    email: email ? (email as EmailAddress) : undefined,
    signedInAt: Number.parseInt(signedIn, 36),
    lastSeenAt: Number.parseInt(lastSeen, 16) * 1000,
    remember: remember === '1',
    device: device || undefined,
  };
  if (!(session.lastSeenAt > 0) || !(session.signedInAt > 0)) return undefined;
  try {
    return json === undefined ? session : { ...JSON.parse(json), ...session };
  } catch {
    return undefined;
  }
}

/** Whether a session id carries the tag of this address, or of no address. */
export function belongTogether(keys: SessionKeys, email: EmailAddress | undefined): boolean {
  return keys.tag === (email === undefined ? anonymousTag : tagOf(email));
}
