import { type SealKeys, unseal } from './seal.ts';

/** A mail to one person. */
export type Mail = { to: string; subject: string; text: string; html: string };

/** What the outbox seals: the mail, and what its sender wants to know about it later. */
export type Envelope = {
  mail: Mail;
  kind: string;
  /** Logged with every outcome. */
  about: Record<string, string>;
  /** Passed to the handlers. */
  context: Record<string, string>;
};

/** What a mail server said, in codes only: its words may quote the address. */
export type Reply = {
  /** Of the reply, such as 250 (RFC 5321, 4.2). */
  reply?: number;
  /** Such as 4.7.1 (RFC 3463). */
  enhanced?: string;
  /** By which the server's own log knows the mail. */
  queueId?: string;
  /** Of the client, such as ETIMEDOUT. */
  code?: string;
  /** The SMTP command that failed. */
  command?: string;
};

/** What became of an attempt to deliver. */
export type Outcome =
  | { outcome: 'accepted' }
  /** For good, because of the mail or its recipient. */
  | { outcome: 'refused' }
  /** For now, because of the mail or its recipient. */
  | { outcome: 'deferred' }
  /** The recipient kept others waiting, and the attempt was broken off. */
  | { outcome: 'slow' }
  /** The server takes no mail at all now, whoever it is for. */
  | { outcome: 'unavailable'; problem: string }
  /** The server has all the connections that it takes. */
  | { outcome: 'crowded'; problem: string }
  /** No session secret opens it. */
  | { outcome: 'unreadable' };

export type Delivered = Outcome & { reply: Reply; envelope?: Omit<Envelope, 'mail'> };

/** A mail to deliver, still sealed. */
export type Sealed = { id: string; sealed: string; isWithheld: boolean; hasLapsed: boolean };

/** What brings mail on its way: an SMTP server, or in development a catcher. */
export type Courier = {
  deliver: (sealed: Sealed) => Promise<Delivered>;
  /** Breaks an attempt off, unless the mail itself is on its way already. */
  breakOff: (id: string) => void;
  /** What is wrong with the mail server, in words for the operator; undefined: nothing. */
  check: () => Promise<string | undefined>;
  close: () => Promise<void>;
};

export function openEnvelope(keys: SealKeys, { id, sealed }: Sealed): Envelope | undefined {
  const text = unseal(keys, id, sealed);
  return text === undefined ? undefined : JSON.parse(text);
}
