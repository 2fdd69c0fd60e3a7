import type { SessionData } from 'express-session';
import type { EmailAddress } from './email-address.ts';

declare module 'express-session' {
  interface SessionData {
    /** The identity, absent before sign-in. Only `signIn()` sets this field and the next three; the store rejects other changes. */
    readonly email?: EmailAddress | undefined;
    /** Milliseconds since the epoch; the absolute limit counts from here. */
    readonly signedInAt: number;
    /** Milliseconds since the epoch, exact to the grain of the throttled touch; the idle limit counts from here. */
    readonly lastSeenAt: number;
    /** The visitor asked to be kept signed in. */
    readonly remember: boolean;
    /** Browser and system in words, such as "Firefox on Linux". */
    device?: string | undefined;
  }
}

/** What Redis keeps of a session. The cookie's attributes are configuration. */
export type StoredSession = Omit<SessionData, 'cookie'>;

const ownFields = ['cookie', 'email', 'signedInAt', 'lastSeenAt', 'remember', 'device'] as const;
const ownNames = new Set<string>(ownFields);

/** What every session has, so that no sign-in takes it along; a feature may add to it. Anything else is a fork's. */
export interface OwnFields extends Record<(typeof ownFields)[number], unknown> {}

/** What a fork keeps in a session. */
export function extraFields(session: Partial<SessionData>): [name: string, value: unknown][] {
  return Object.entries(session).filter(([name, value]) => !ownNames.has(name) && value !== undefined);
}

/** When a session was last seen, in a fixed width, so that a touch can overwrite it in place. */
export function encodeMoment(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  return seconds.toString(16).padStart(8, '0');
}

/**
 * The record of a session: when it was last seen, in hexadecimal seconds; when it signed in, in milliseconds of base 36
 * (eight digits last until 2059); whether it is remembered, 0 or 1; its address; a line with the device; and a line of
 * JSON with what a fork keeps. A later version has another digit in place of the 0 or 1, so that this one refuses it.
 * @throws {TypeError} for a device that is no text, and a line break or a NUL, which separates the records of a list
 */
export function encode(session: StoredSession): string {
  const { email = '', device = '' } = session;
  if (typeof device !== 'string' || /[\n\0]/.test(email + device)) {
    throw new TypeError('the address and the device of a session are texts without line breaks and NUL');
  }
  const moments = encodeMoment(session.lastSeenAt) + session.signedInAt.toString(36).padStart(8, '0');
  const extra = extraFields(session);
  const json = extra.length > 0 ? `\n${JSON.stringify(Object.fromEntries(extra))}` : '';
  return `${moments}${session.remember ? 1 : 0}${email}\n${device}${json}`;
}

const recordShape = /^([\da-f]{8})([\da-z]{8})([01])([^\n\0]*)\n([^\n\0]*)(?:\n(\{[^\n]*\}))?$/;

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
