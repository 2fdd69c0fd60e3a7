import { Readable } from 'node:stream';
import SMTPConnection from 'nodemailer/lib/smtp-connection';

/** A mail server, and how to talk to it. */
export type SmtpServer = {
  host: string;
  port: number;
  /**
   * `implicit`: from the first byte (smtps). `required`: by STARTTLS. `opportunistic`: by STARTTLS with any
   * certificate, and unencrypted if that fails (RFC 7435).
   */
  tls: 'implicit' | 'required' | 'opportunistic';
  credentials: { user: string; pass: string } | undefined;
  /** The name in EHLO: a domain, or an address literal (RFC 5321, 4.1.3). */
  clientName: string;
  /** All trusted CA certificates, in PEM; undefined: those that Node trusts by default. */
  ca?: string[] | undefined;
  /** How many mails it accepts in one session. */
  mailsPerSession: number;
};

/** How long the server may take. A server can keep a connection busy byte by byte, so each step has a deadline. */
export type Timeouts = {
  /** To open a session: name, connection, greeting, TLS, authentication. Some servers delay the greeting on purpose. */
  openMs: number;
  /** To accept the envelope: it may ask the recipient's server first. */
  envelopeMs: number;
  /** To accept the mail. If it times out here, the mail may arrive all the same, and twice after the next attempt. */
  bodyMs: number;
};

export const defaultTimeouts: Timeouts = { openMs: 15_000, envelopeMs: 30_000, bodyMs: 60_000 };

export class BrokenOff extends Error {}

/** The server lacks an extension that this mail needs. */
export class Unsupported extends Error {
  readonly code = 'ESMTPUTF8';
  /** Whether the address in MAIL_FROM needs it. */
  readonly isOurs: boolean;

  constructor(isOurs: boolean) {
    super('the server does not accept addresses with non-ASCII characters (SMTPUTF8)');
    this.isOurs = isOurs;
  }
}

export type Letter = { from: string; to: string; message: Buffer };

/** One connection to a mail server, which sends one mail at a time. */
export class SmtpSession {
  readonly #connection: SMTPConnection;
  readonly #timeouts: Timeouts;
  readonly #extensions: string;
  #isOpen = true;
  /** How many mails have been accepted. */
  sent = 0;

  private constructor(connection: SMTPConnection, timeouts: Timeouts) {
    this.#connection = connection;
    this.#timeouts = timeouts;
    this.#extensions = String(connection.lastServerResponse);
    connection.once('end', () => {
      this.#isOpen = false;
    });
  }

  /** Connects, starts TLS and authenticates. */
  static async open(server: SmtpServer, timeouts: Timeouts): Promise<SmtpSession> {
    try {
      return await SmtpSession.#open(server, timeouts, server.tls === 'opportunistic' ? 'any' : server.tls);
    } catch (error) {
      if (server.tls !== 'opportunistic' || !isTlsFailure(error)) throw error;
      return await SmtpSession.#open(server, timeouts, 'none');
    }
  }

  static async #open(
    { host, port, credentials, clientName, ca }: SmtpServer,
    timeouts: Timeouts,
    tls: 'implicit' | 'required' | 'any' | 'none',
  ): Promise<SmtpSession> {
    const connection = new SMTPConnection({
      ...{ host, port, name: clientName },
      secure: tls === 'implicit',
      requireTLS: tls === 'required',
      ignoreTLS: tls === 'none',
      tls: { ...(tls === 'any' && { rejectUnauthorized: false }), ...(ca && { ca }) },
      // Shorter than the whole, for an error that says which step took too long.
      connectionTimeout: 0.8 * timeouts.openMs,
      greetingTimeout: 0.6 * timeouts.openMs,
      socketCloseTimeout: 1000,
    });
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => fail(timedOut('the session was not open in time')), timeouts.openMs);
      function fail(error: unknown): void {
        clearTimeout(timer);
        if (connection.upgrading || awaitsStartTls(connection)) Object.assign(error as object, { isTlsFailure: true });
        // Before the close, which reports an error of its own.
        reject(error);
        connection.close();
      }
      // Never removed: without a listener, a connection that is lost later would end the process.
      connection.on('error', fail);
      connection.once('end', () => fail(withCode('ECONNECTION', 'the connection was closed')));
      connection.connect((error) => {
        if (error) return fail(error);
        const session = new SmtpSession(connection, timeouts);
        const done = (refusal?: unknown) => {
          if (refusal) return fail(refusal);
          clearTimeout(timer);
          resolve(session);
        };
        if (!credentials) return done();
        if (!connection.allowsAuth) return done(withCode('ENOAUTH', 'the server does not offer AUTH'));
        const { user, pass } = credentials;
        connection.login({ user, credentials: { user, pass } }, done);
      });
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Sends a mail.
   * @param progress `signal` breaks off the attempt; `isBodySent` tells whether the server may have the mail
   * @returns the server's reply
   */
  async send({ from, to, message }: Letter, progress: { signal: AbortSignal; isBodySent: boolean }): Promise<string> {
    if (needsSmtpUtf8(from + to) && !/^250[ -]SMTPUTF8\b/im.test(this.#extensions)) {
      throw new Unsupported(needsSmtpUtf8(from));
    }
    if (progress.signal.aborted) throw new BrokenOff();
    const { envelopeMs, bodyMs } = this.#timeouts;
    return await new Promise((resolve, reject) => {
      let timer = setTimeout(() => fail(timedOut('no reply to the envelope in time')), envelopeMs);
      const fail = (error: unknown) => {
        clearTimeout(timer);
        reject(error);
        this.#connection.close();
      };
      const body = new Readable({
        read() {
          progress.isBodySent = true;
          clearTimeout(timer);
          timer = setTimeout(() => fail(timedOut('no reply to the mail in time')), bodyMs);
          this.push(message);
          this.push(null);
        },
      });
      progress.signal.addEventListener('abort', () => {
        if (!progress.isBodySent) fail(new BrokenOff());
      });
      this.#connection.send({ from, to: [to] }, body, (error, info) => {
        if (error && error.responseCode === undefined) return fail(error);
        clearTimeout(timer);
        if (error) return reject(error);
        this.sent += 1;
        resolve(info?.response ?? '');
      });
    });
  }

  /** Closes the session. */
  end(): void {
    if (this.#isOpen) this.#connection.quit();
    this.#isOpen = false;
    // In case the server does not answer.
    setTimeout(() => this.#connection.close(), 1000).unref();
  }
}

/** Whether an address has a non-ASCII local part (RFC 6531). Domains are in A-labels. */
export function needsSmtpUtf8(address: string): boolean {
  return /\P{ASCII}/u.test(address);
}

// Whether STARTTLS was sent and not answered: the client sends it as soon as the reply to EHLO offers it.
function awaitsStartTls({ secure, lastServerResponse }: SMTPConnection): boolean {
  return !secure && /^250[ -]STARTTLS\b/im.test(String(lastServerResponse));
}

function isTlsFailure(error: unknown): boolean {
  const { code, isTlsFailure = code === 'ETLS' } = error as { code?: string; isTlsFailure?: boolean };
  return isTlsFailure;
}

function timedOut(message: string): Error {
  return withCode('ETIMEDOUT', message);
}

function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
