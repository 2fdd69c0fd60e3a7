import { setTimeout as sleep } from 'node:timers/promises';
import { type Courier, type Delivered, openEnvelope, type Sealed } from './delivery.ts';
import { writeMessage } from './message.ts';
import type { SealKeys } from './seal.ts';
import type { Sender } from './sender.ts';
import { smtpAddress } from './smtp-address.ts';
import {
  describeFailure,
  describeReply,
  explainProblem,
  isEndOfSession,
  judgeAttempt,
  judgeOpening,
  wordsOf,
} from './smtp-replies.ts';
import { defaultTimeouts, type Letter, type SmtpServer, SmtpSession, type Timeouts } from './smtp-session.ts';

export type SmtpOptions = {
  server: SmtpServer;
  keys: SealKeys;
  from: Sender;
  /** The site's host, for Message-ID. */
  host: string;
  /** How long a mail took in the previous thread, in milliseconds. Default: 50. */
  typicalMs?: number | undefined;
};

/** Not longer, because the server counts idle connections, and other processes may need them. */
const idleMs = 500;

/**
 * Delivers mail to an SMTP server. Sessions are reused for several mails. How many are open at a time is up to the
 * caller, who holds a lease for each mail.
 */
export class SmtpClient implements Courier {
  readonly #options: SmtpOptions;
  readonly #timeouts: Timeouts;
  readonly #idle: SmtpSession[] = [];
  readonly #underWay = new Map<string, AbortController>();
  #mailsPerSession: number;
  #typicalMs: number;

  constructor(options: SmtpOptions, timeouts: Timeouts = defaultTimeouts) {
    this.#options = options;
    this.#timeouts = timeouts;
    this.#mailsPerSession = options.server.mailsPerSession;
    this.#typicalMs = options.typicalMs ?? 50;
  }

  /** How long the last accepted mail took. A withheld one takes as long. */
  get typicalMs(): number {
    return this.#typicalMs;
  }

  async deliver(sealed: Sealed): Promise<Delivered> {
    const startedAt = performance.now();
    const { keys, from, host } = this.#options;
    const opened = openEnvelope(keys, sealed);
    if (!opened) return { outcome: 'unreadable', reply: {} };
    const { mail, ...envelope } = opened;
    if (sealed.hasLapsed) return { outcome: 'deferred', reply: {}, envelope };
    const message = await writeMessage(mail, { id: sealed.id, from, host });
    if (sealed.isWithheld) {
      // As long as a mail that is sent, so that the Redis commands that follow don't come any sooner.
      await sleep(Math.max(0, this.#typicalMs - (performance.now() - startedAt)));
      return { outcome: 'accepted', reply: {}, envelope };
    }
    const breakingOff = new AbortController();
    this.#underWay.set(sealed.id, breakingOff);
    const { words, ...delivered } = await this.#attempt(
      { from: from.address, to: smtpAddress(mail.to), message },
      breakingOff.signal,
    );
    this.#underWay.delete(sealed.id);
    if (delivered.outcome === 'accepted') this.#typicalMs = performance.now() - startedAt;
    return { ...delivered, envelope, ...(sealed.isTest && { words }) };
  }

  breakOff(id: string): void {
    this.#underWay.get(id)?.abort();
  }

  async check(isTest = false): Promise<string | undefined> {
    try {
      this.#release(await SmtpSession.open(this.#options.server, this.#timeouts));
      return undefined;
    } catch (error) {
      const problem = explainProblem(error, this.#options.server);
      const words = isTest ? wordsOf(error) : undefined;
      return words === undefined ? problem : `${problem}; it says "${words}"`;
    }
  }

  async close(): Promise<void> {
    for (const session of this.#idle.splice(0)) session.end();
  }

  async #attempt(letter: Letter, signal: AbortSignal): Promise<Delivered> {
    const { server } = this.#options;
    for (;;) {
      const known = this.#idle.pop();
      let session: SmtpSession;
      try {
        session = known ?? (await SmtpSession.open(server, this.#timeouts));
      } catch (error) {
        return { ...judgeOpening(error, server), reply: describeFailure(error), words: wordsOf(error) };
      }
      const progress = { signal, isBodySent: false };
      try {
        const reply = await session.send(letter, progress);
        this.#release(session);
        return { outcome: 'accepted', reply: describeReply(reply) };
      } catch (error) {
        session.end();
        const reply = describeFailure(error);
        if (!known || progress.isBodySent || !isEndOfSession(error)) {
          return { ...judgeAttempt(error, server, letter), reply, words: wordsOf(error) };
        }
        // The server has shown how many mails it accepts in one session.
        if (reply.reply !== undefined) this.#mailsPerSession = Math.max(1, session.sent);
      }
    }
  }

  #release(session: SmtpSession): void {
    if (session.sent >= this.#mailsPerSession || !session.isOpen) {
      session.end();
      return;
    }
    this.#idle.push(session);
    setTimeout(() => {
      const place = this.#idle.indexOf(session);
      if (place < 0) return;
      this.#idle.splice(place, 1);
      session.end();
    }, idleMs).unref();
  }
}
