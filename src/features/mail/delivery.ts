import { type SealKeys, unseal } from './seal.ts';

/** A mail to one person. */
export type Mail = { to: string; subject: string; text: string; html: string };

/** What the outbox encrypts: the mail, and what its sender needs to know about it later. */
export type Envelope = {
  mail: Mail;
  kind: string;
  /** Logged with every outcome. */
  about: Record<string, string>;
  /** Passed to the handlers. */
  context: Record<string, string>;
};

/** A mail server's reply, in codes only: its text may quote the address. */
export type Reply = {
  /** Such as 250 (RFC 5321, 4.2). */
  reply?: number;
  /** Such as 4.7.1 (RFC 3463). */
  enhanced?: string;
  /** Identifies the mail in the mail server's own log. */
  queueId?: string;
  /** The client's error code, such as ETIMEDOUT. */
  code?: string;
  /** The SMTP command that failed. */
  command?: string;
};

/** Why a mail with the code ESMTPUTF8 is refused. */
export const needsSmtpUtf8Text =
  'the part of the address before the @ has non-ASCII characters, and the mail server does not support SMTPUTF8';

/** The result of an attempt to deliver a mail. */
export type Outcome =
  | { outcome: 'accepted' }
  /** Permanently, because of the mail or its recipient. */
  | { outcome: 'refused' }
  /** Temporarily, because of the mail or its recipient. */
  | { outcome: 'deferred' }
  /** The recipient was slow, and the attempt was broken off or timed out. */
  | { outcome: 'slow' }
  /** The server accepts no mail at the moment, whoever it is for. */
  | { outcome: 'unavailable'; problem: string }
  /** The server accepts no more connections. */
  | { outcome: 'crowded'; problem: string }
  /** No session secret decrypts it. */
  | { outcome: 'unreadable' };

export type Delivered = Outcome & {
  reply: Reply;
  envelope?: Omit<Envelope, 'mail'>;
  /** What the server said, of a test alone: it may quote the address. */
  words?: string | undefined;
};

/** A mail to deliver, still encrypted. `isTest`: it is the operator's own. */
export type Sealed = { id: string; sealed: string; isWithheld: boolean; hasLapsed: boolean; isTest?: true };

/** Delivers mail: to an SMTP server, or in development to the mail catcher. */
export type Courier = {
  deliver: (sealed: Sealed) => Promise<Delivered>;
  /** Gets ready for a mail, whether it is sent or withheld. */
  prepare?: () => void;
  /** Breaks off an attempt, unless the server may have the mail already. */
  breakOff: (id: string) => void;
  /**
   * What is wrong with the mail server, in words for the operator; undefined if nothing is.
   * @param isTest whether to quote the server, as only an operator who asks may read it
   */
  check: (isTest?: boolean) => Promise<string | undefined>;
  close: () => Promise<void>;
};

/** @throws {SyntaxError} when it isn't what an outbox has stored */
export function openEnvelope(keys: SealKeys, { id, sealed }: Sealed): Envelope | undefined {
  const text = unseal(keys, id, sealed);
  return text === undefined ? undefined : JSON.parse(text);
}

/** What may be logged of an error in the handling of a mail. */
export type LoggedError = { type: string; stack: string };

/** An error without its message, which may quote the mail or its recipient. */
export function errorWithoutMessage(error: unknown): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, stack: '' };
  const frames = error.stack?.split('\n').filter((line) => /^ {4}at /.test(line)) ?? [];
  return { type: error.name, stack: frames.join('\n') };
}
