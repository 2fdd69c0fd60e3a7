import { hash, randomBytes } from 'node:crypto';

// A session id is the tag of its address, which is 84 bits of a hash, and 128 random bits (ASVS 7.2.3), both base64url.
// The tag puts a session and the list of its address's sessions in one slot of a Cluster, so that they change together.
// It is not keyed with a session secret: rotating that would hide older sessions from "end all sessions".
const tagLength = 14;
export const memberLength = 22;
const idShape = new RegExp(`^[\\w-]{${tagLength + memberLength}}$`);

/** The tag of sessions without an address, which are in no list. */
export const anonymousTag = 'A'.repeat(tagLength);

/** The tag of an address, or of none. */
export function tagOf(email: string | undefined): string {
  if (email === undefined) return anonymousTag;
  return hash('sha256', `latchkey:${email}`, 'base64url').slice(0, tagLength);
}

/** A new, unguessable session id with this tag. */
export function newSessionId(tag: string): string {
  return tag + randomBytes(16).toString('base64url');
}

/** Whether this can be a session id. */
export function isSessionId(text: string): boolean {
  return idShape.test(text);
}

/** The tag in a session id. */
export function tagIn(sessionId: string): string {
  return sessionId.slice(0, tagLength);
}

/** Whether a session id carries the tag of this address, or of none. */
export function belongsTo(sessionId: string, email: string | undefined): boolean {
  return tagIn(sessionId) === tagOf(email);
}

/** What names a session in the list of its address: its id less the tag. */
export function memberOf(sessionId: string): string {
  return sessionId.slice(tagLength);
}

/** The Redis key of a session. For a tag alone, it is what the keys of all its sessions begin with. */
export function sessionKey(sessionId: string): string {
  return `{${tagIn(sessionId)}}${memberOf(sessionId)}`;
}

/** The Redis key of a tag's list. It is in the slot of `{tag}`, and a prefix would cost each address 16 bytes. */
export function indexKey(tag: string): string {
  return tag;
}

/** The keys that are written together: a session's own, and that of the list of its address. */
export function keysOf(sessionId: string): string[] {
  const tag = tagIn(sessionId);
  return tag === anonymousTag ? [sessionKey(sessionId)] : [sessionKey(sessionId), indexKey(tag)];
}

/** A session's public name, for lists, logs and revocation: a hash of its id, which it does not reveal. */
export function handleOf(sessionId: string): string {
  return hash('sha256', sessionId, 'base64url').slice(0, 16);
}
