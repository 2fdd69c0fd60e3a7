import type { AddressInfo, Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { vi } from 'vitest';
import { afterwards } from '../support/afterwards.ts';
import { certificateFor } from '../support/certificate.ts';
import { keepOutOfLogs } from '../support/secrets.ts';

/** An address of this machine that is not loopback. */
export const ownAddress =
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '0.0.0.0';

type ReceivedMail = {
  /** The recipients in the envelope. */
  to: string[];
  from: string;
  /** Whether it came over TLS. */
  secure: boolean;
  mail: ParsedMail;
};

/** The step at which the server answers with an error, late, or not at all. */
export type Failure = {
  at: 'greeting' | 'sender' | 'recipient' | 'data';
  answer: number | 'silence' | 'late';
  words?: string;
};

type MailKind = keyof typeof subjects | RegExp;

export type MailServer = {
  port: number;
  /** As `SMTP_URL` names it, on loopback. */
  url: string;
  /** Oldest first. */
  inbox: ReceivedMail[];
  /** The steps that clients have reached: `greeting`, `sender`, `recipient`, `data`, `user:password`. */
  seen: string[];
  failure: Failure | undefined;
  /** Waits until an address has received this many mails of a kind, or with such a subject, and returns the last. */
  mailTo: (address: string, kind: MailKind, count?: number) => Promise<ParsedMail>;
  /** Waits until an address has received this many codes, and returns the last. */
  codeFor: (address: string, count?: number) => Promise<string>;
  /** Stops, and closes its connections. */
  stop: () => Promise<void>;
  /** Starts again on the same port. */
  start: () => Promise<void>;
};

// Otherwise smtp-server uses its built-in certificate, and warns about it.
const certificate = certificateFor('localhost');
const subjects = { code: / is your code for /, notice: /^New sign-in to / };

/** A mail server that keeps what it receives, and can be made to fail; stopped after the file's last test. */
export async function startMailServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  let server: SMTPServer | undefined;
  const sockets = new Set<Socket>();

  function failOrGoOn(at: Failure['at'], done: (error?: Error | null) => void): void {
    mails.seen.push(at);
    const { failure } = mails;
    if (failure?.at !== at) done();
    else if (failure.answer === 'late') setTimeout(done, 100);
    else if (failure.answer !== 'silence') {
      done(Object.assign(new Error(failure.words ?? 'no'), { responseCode: failure.answer }));
    }
  }

  async function start(): Promise<void> {
    const started = new SMTPServer({
      authOptional: true,
      allowInsecureAuth: true,
      disableReverseLookup: true,
      ...certificate,
      onConnect: (_session, done) => failOrGoOn('greeting', done),
      onMailFrom: (_address, _session, done) => failOrGoOn('sender', done),
      onRcptTo: (_address, _session, done) => failOrGoOn('recipient', done),
      onAuth: ({ username, password }, _session, done) => {
        mails.seen.push(`${username}:${password}`);
        done(null, { user: username });
      },
      onData: (stream, { envelope, secure }, done) => {
        simpleParser(stream).then((mail) => {
          failOrGoOn('data', (error) => {
            if (!error) {
              const from = envelope.mailFrom ? envelope.mailFrom.address : '';
              mails.inbox.push({ to: envelope.rcptTo.map(({ address }) => address), from, secure, mail });
            }
            done(error);
          });
        }, done);
      },
      ...options,
    });
    started.on('error', () => {});
    started.server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    await new Promise<void>((done, fail) => {
      started.server.once('error', fail);
      started.listen(mails.port, '0.0.0.0', done);
    });
    server = started;
    mails.port = (started.server.address() as AddressInfo).port;
    mails.url = `smtp${options.secure ? 's' : ''}://localhost:${mails.port}`;
  }

  async function stop(): Promise<void> {
    const stopped = server;
    server = undefined;
    for (const socket of sockets) socket.destroy();
    if (stopped) await new Promise<void>((done) => stopped.close(() => done()));
  }

  async function mailTo(address: string, kind: MailKind, count = 1): Promise<ParsedMail> {
    const subject = typeof kind === 'string' ? subjects[kind] : kind;
    return vi.waitFor(
      () => {
        const got = mails.inbox.filter(({ to, mail }) => to.includes(address) && subject.test(mail.subject ?? ''));
        const last = got[count - 1];
        if (!last || got.length > count) throw new Error(`${address} has got ${got.length} of ${kind}, not ${count}`);
        return last.mail;
      },
      { timeout: 10_000, interval: 5 },
    );
  }

  const mails: MailServer = {
    ...{ port: 0, url: '', inbox: [], seen: [], failure: undefined, mailTo, stop, start },
    codeFor: async (address, count) => codeIn(await mailTo(address, 'code', count)),
  };
  await start();
  afterwards(stop);
  return mails;
}

/** The code in a mail's subject. */
export function codeIn(mail: Pick<ParsedMail, 'subject'>): string {
  const [grouped = '', first, second] = /(\d{4}) (\d{4})/.exec(mail.subject ?? '') ?? [];
  if (grouped === '') throw new Error(`no code in: ${mail.subject}`);
  const code = `${first}${second}`;
  keepCodeOutOfLogs(code);
  return code;
}

/** Not the digits alone: eight digits occur by chance among the times in a log. */
export function keepCodeOutOfLogs(code: string): void {
  keepOutOfLogs(`${code.slice(0, 4)} ${code.slice(4)}`, `"${code}"`, `#${code}`, `=${code}`, ` ${code}`);
}
