import { setTimeout as sleep } from 'node:timers/promises';
import nodemailer from 'nodemailer';
import type { Logger } from '../log.ts';

export type Mail = { to: string; subject: string; text: string; html: string };

/** What puts a mail on its way: an SMTP server, or in development a catcher. */
export type Transport = { sendMail: (mail: Mail) => Promise<unknown>; close: () => void };

const retryDelaysMs = [1000, 5000, 15_000];
const closeWithinMs = 2000;
const mostWaiting = 1000;

/**
 * Sends mail behind the visitors' backs: a request only queues it, so that no answer is slower or different for
 * an address that gets one (ASVS 6.3.8). A mail is tried four times within half a minute.
 */
export class Mailer {
  readonly #transport: Transport;
  readonly #log: Logger;
  readonly #waiting = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #failing = false;

  constructor(transport: Transport, log: Logger) {
    this.#transport = transport;
    this.#log = log;
  }

  /** Whether the last attempt to send failed. */
  get isFailing(): boolean {
    return this.#failing;
  }

  /**
   * Queues a mail.
   * @param about goes to the log with it; never an address or a code
   */
  send(mail: Mail, about: Record<string, string>): void {
    if (this.#waiting.size >= mostWaiting) {
      this.#log.error(about, 'mail dropped: too many are waiting');
      return;
    }
    const sending = this.#deliver(mail, about).finally(() => this.#waiting.delete(sending));
    this.#waiting.add(sending);
  }

  /** Waits a little for what is queued; what can't be sent in time is logged. */
  async close(): Promise<void> {
    const timer = setTimeout(() => this.#closing.abort(), closeWithinMs);
    await Promise.all(this.#waiting);
    clearTimeout(timer);
    this.#transport.close();
  }

  async #deliver(mail: Mail, about: Record<string, string>): Promise<void> {
    for (const delayMs of [0, ...retryDelaysMs]) {
      await sleep(delayMs, undefined, { signal: this.#closing.signal }).catch(() => {});
      try {
        await this.#transport.sendMail(mail);
        if (this.#failing) this.#log.info('mail is sent again');
        this.#failing = false;
        this.#log.info(about, 'mail sent');
        return;
      } catch (error) {
        this.#noteFailure(error);
        if (this.#closing.signal.aborted || isFinal(error)) break;
      }
    }
    this.#log.error(about, 'mail not sent');
  }

  // The error's message may quote the address, so only its codes are logged.
  #noteFailure(error: unknown): void {
    if (isFinal(error)) return;
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
  const loopback = /^(localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname);
  const optional = url.searchParams.get('tls') === 'optional';
  return nodemailer.createTransport(
    {
      pool: true,
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
}

// The server's 5xx is its last word on this mail, and says nothing about the next one.
function isFinal(error: unknown): boolean {
  const { responseCode } = codesOf(error);
  return responseCode !== undefined && responseCode >= 500 && responseCode !== 530 && responseCode !== 535;
}

function codesOf(error: unknown): { code?: string; responseCode?: number } {
  if (!(error instanceof Error)) return {};
  return {
    ...('code' in error && { code: String(error.code) }),
    ...('responseCode' in error && { responseCode: Number(error.responseCode) }),
  };
}
