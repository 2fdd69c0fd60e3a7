import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import nodemailer from 'nodemailer';
import { isLoopback } from '../../http/url.ts';
import type { Logger } from '../../log.ts';

export type Mail = { to: string; subject: string; text: string; html: string };

/** What puts a mail on its way, and gives it up when told to: an SMTP server, or in development a catcher. */
export type Transport = { sendMail: (mail: Mail, signal: AbortSignal) => Promise<unknown>; close: () => void };

/** How patient a mailer is. */
export type RetryPolicy = {
  /** How long after each failure a mail is tried again; as often as there are delays. */
  retryDelaysMs: number[];
  /** A server may keep a connection alive by answering byte for byte, which no timeout of a socket notices. */
  attemptWithinMs: number;
  /** All of a shutdown has 9 s, of which open requests take up to 7. */
  closeWithinMs: number;
};

const defaultRetryPolicy: RetryPolicy = {
  retryDelaysMs: [1000, 5000, 15_000],
  attemptWithinMs: 20_000,
  closeWithinMs: 1500,
};
const maxQueued = 1000;
/** Mails under way at a time; the others wait for their turn, which is not the server's fault. */
const maxConcurrent = 5;

/**
 * Sends mail behind the visitors' backs: a request only queues it, so that no answer is slower or different for
 * an address that gets one (ASVS 6.3.8). A mail is tried four times.
 */
export class Mailer {
  readonly #transport: Transport;
  readonly #log: Logger;
  readonly #retryPolicy: RetryPolicy;
  readonly #waiting = new Set<Promise<boolean>>();
  readonly #forTurn: (() => void)[] = [];
  #underWay = 0;
  readonly #closing = new AbortController();
  readonly #givingUp = new AbortController();
  #failing = false;

  constructor(transport: Transport, log: Logger, retryPolicy: Partial<RetryPolicy> = {}) {
    this.#transport = transport;
    this.#log = log;
    this.#retryPolicy = { ...defaultRetryPolicy, ...retryPolicy };
    // Each mail that waits listens; from the eleventh on Node would take that for a leak.
    setMaxListeners(maxQueued, this.#closing.signal);
  }

  /** Whether the mail server failed or refused at the last attempt; that a mailbox is unknown does not count. */
  get isFailing(): boolean {
    return this.#failing;
  }

  /**
   * Queues a mail.
   * @param about goes to the log with it; never an address or a code
   * @returns whether it was sent
   */
  async send(mail: Mail, about: Record<string, string>): Promise<boolean> {
    if (this.#waiting.size >= maxQueued) {
      this.#log.error(about, 'mail dropped: too many are waiting');
      return false;
    }
    const sending = this.#deliver(mail, about).finally(() => this.#waiting.delete(sending));
    this.#waiting.add(sending);
    return sending;
  }

  /** Tries what is queued for a last time, at once; what can't be sent in time is logged. */
  async close(): Promise<void> {
    this.#closing.abort();
    const timer = setTimeout(() => this.#givingUp.abort(), this.#retryPolicy.closeWithinMs);
    await Promise.all(this.#waiting);
    clearTimeout(timer);
    this.#transport.close();
  }

  async #deliver(mail: Mail, about: Record<string, string>): Promise<boolean> {
    let reason: ReturnType<typeof codesOf> = {};
    for (const delayMs of [0, ...this.#retryPolicy.retryDelaysMs]) {
      await sleep(delayMs, undefined, { signal: this.#closing.signal }).catch(() => {});
      const isLast = this.#closing.signal.aborted;
      try {
        await this.#attempt(mail);
        this.#noteSuccess();
        this.#log.info(about, 'mail sent');
        return true;
      } catch (error) {
        reason = codesOf(error);
        if (!isAboutMailbox(error)) this.#noteFailure(error);
        if (isLast || isFinal(error)) break;
      }
    }
    this.#log.error({ ...about, ...reason }, 'mail not sent');
    return false;
  }

  async #attempt(mail: Mail): Promise<void> {
    if (this.#underWay >= maxConcurrent) await new Promise<void>((turn) => this.#forTurn.push(turn));
    else this.#underWay += 1;
    const attempt = new AbortController();
    const timer = setTimeout(() => attempt.abort(), this.#retryPolicy.attemptWithinMs);
    try {
      await this.#transport.sendMail(mail, AbortSignal.any([attempt.signal, this.#givingUp.signal]));
    } finally {
      clearTimeout(timer);
      // Whoever is next takes the place over.
      const next = this.#forTurn.shift();
      if (next) next();
      else this.#underWay -= 1;
    }
  }

  #noteSuccess(): void {
    if (this.#failing) this.#log.info('mail is sent again');
    this.#failing = false;
  }

  // The error's message may quote the address, so only its codes are logged.
  #noteFailure(error: unknown): void {
    if (!this.#failing) this.#log.error(codesOf(error), 'mail can not be sent');
    this.#failing = true;
  }
}

/**
 * The SMTP server that a URL names: `smtp://user:password@host:587`, or `smtps://`. Without TLS from the start,
 * STARTTLS is required, except on loopback or with `?tls=optional`.
 * @param from such as `Latchkey <login@example.com>`
 */
export function smtpTransport(smtpUrl: string, from: string): Transport {
  const url = new URL(smtpUrl);
  const secure = url.protocol === 'smtps:';
  const loopback = isLoopback(url.hostname);
  const optional = url.searchParams.get('tls') === 'optional';
  const pool = nodemailer.createTransport(
    {
      pool: true,
      maxConnections: maxConcurrent,
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port) || (secure ? 465 : 587),
      secure,
      requireTLS: !secure && !loopback && !optional,
      ignoreTLS: !secure && loopback,
      opportunisticTLS: optional,
      ...(url.username && {
        auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) },
      }),
      connectionTimeout: 5000,
      greetingTimeout: 5000,
      socketTimeout: 15_000,
      disableFileAccess: true,
      disableUrlAccess: true,
    },
    { from },
  );
  return {
    sendMail: async ({ to, ...mail }, signal) => {
      // Nodemailer takes these out, and what is left is the address of somebody else.
      if (/[<>]/.test(to)) throw new UnmailableAddress();
      // As an object, since a text would be read as a list of recipients, and lose its quotes.
      await pool.sendMail({ ...mail, to: { name: '', address: to }, signal });
    },
    close: () => pool.close({ force: true }),
  };
}

class UnmailableAddress extends Error {
  readonly code = 'EENVELOPE';
  constructor() {
    super('an address with angle brackets');
    this.name = 'UnmailableAddress';
  }
}

// A stranger chooses the address, and must be able neither to make the mail server look broken, nor to see in
// `/readyz` whether a mail was sent. The server's word on the recipient says nothing of the server.
function isAboutMailbox(error: unknown): boolean {
  if (error instanceof UnmailableAddress) return true;
  const { command } = codesOf(error);
  const response = error instanceof Error && 'response' in error ? String(error.response) : '';
  // Some servers take any recipient, and say after the mail that there is none (RFC 3463, 3.2 and 3.3). Not so 5.2.0
  // and 5.2.252, by which Exchange refuses a sender.
  return command === 'RCPT TO' || (command === 'DATA' && /^\d{3}[ -][45]\.(?:1\.[1-6]|2\.[1-4])\b/.test(response));
}

// The server's 5xx is its last word on this mail, except where it does not accept us.
function isFinal(error: unknown): boolean {
  if (error instanceof UnmailableAddress) return true;
  const { responseCode } = codesOf(error);
  return responseCode !== undefined && responseCode >= 500 && responseCode !== 530 && responseCode !== 535;
}

function codesOf(error: unknown): { code?: string; responseCode?: number; command?: string } {
  if (!(error instanceof Error)) return {};
  return {
    ...('code' in error && { code: String(error.code) }),
    ...('responseCode' in error && { responseCode: Number(error.responseCode) }),
    ...('command' in error && { command: String(error.command) }),
  };
}
