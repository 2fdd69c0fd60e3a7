import type { AddressInfo, Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { vi } from 'vitest';
import { afterwards } from '../support/afterwards.ts';
import { certificateFor } from '../support/certificate.ts';
import { keepOutOfLogs } from '../support/secrets.ts';

/** Of this machine, but not loopback; nor is what a machine without a network has instead. */
export const ownAddress =
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '0.0.0.0';

type ReceivedMail = {
  /** The recipients of the envelope: where it really goes. */
  to: string[];
  from: string;
  /** Whether it came over TLS. */
  secure: boolean;
  mail: ParsedMail;
};

/** Where the server says no, or nothing, or yes after a while. */
export type Trouble = {
  at: 'greeting' | 'sender' | 'recipient' | 'data';
  answer: number | 'silence' | 'late';
  words?: string;
};

export type MailServer = {
  port: number;
  /** As `SMTP_URL` names it, on loopback. */
  url: string;
  /** The oldest first. */
  inbox: ReceivedMail[];
  /** How far clients came: `connection`, `sender`, `recipient`, `data`, `user:password`. */
  seen: string[];
  trouble: Trouble | undefined;
  /** Waits until an address has got this many mails of a kind, and gives the last. */
  mailTo: (address: string, kind: keyof typeof subjects, count?: number) => Promise<ParsedMail>;
  /** Waits until an address has got this many codes, and gives the last. */
  codeFor: (address: string, count?: number) => Promise<string>;
  /** Goes away, connections and all. */
  stop: () => Promise<void>;
  /** Comes back on the same port. */
  start: () => Promise<void>;
};

// Without one of its own the server has one that the whole world has the key of, and says so.
const certificate = certificateFor('localhost');
const subjects = { code: / is your code for /, notice: /^New sign-in to / };

/** A mail server that keeps what it gets, and can be in any trouble; stopped after the file's last test. */
export async function startMailServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  let server: SMTPServer | undefined;
  const sockets = new Set<Socket>();

  function stumble(at: Trouble['at'], done: (error?: Error | null) => void): void {
    mails.seen.push(at);
    const { trouble } = mails;
    if (trouble?.at !== at) done();
    else if (trouble.answer === 'late') setTimeout(done, 100);
    else if (trouble.answer !== 'silence') {
      done(Object.assign(new Error(trouble.words ?? 'no'), { responseCode: trouble.answer }));
    }
  }

  async function start(): Promise<void> {
    const started = new SMTPServer({
      authOptional: true,
      allowInsecureAuth: true,
      disableReverseLookup: true,
      ...certificate,
      onConnect: (_session, done) => stumble('greeting', done),
      onMailFrom: (_address, _session, done) => stumble('sender', done),
      onRcptTo: (_address, _session, done) => stumble('recipient', done),
      onAuth: ({ username, password }, _session, done) => {
        mails.seen.push(`${username}:${password}`);
        done(null, { user: username });
      },
      onData: (stream, { envelope, secure }, done) => {
        simpleParser(stream).then((mail) => {
          stumble('data', (error) => {
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

  async function mailTo(address: string, kind: keyof typeof subjects, count = 1): Promise<ParsedMail> {
    return vi.waitFor(
      () => {
        const got = mails.inbox.filter(
          ({ to, mail }) => to.includes(address) && subjects[kind].test(mail.subject ?? ''),
        );
        const last = got[count - 1];
        if (!last || got.length > count) throw new Error(`${address} has got ${got.length} of ${kind}, not ${count}`);
        return last.mail;
      },
      { timeout: 10_000, interval: 5 },
    );
  }

  const mails: MailServer = {
    ...{ port: 0, url: '', inbox: [], seen: [], trouble: undefined, mailTo, stop, start },
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
  // Not by itself: among the times in a log, eight digits turn up by accident.
  keepOutOfLogs(grouped, `"${code}"`, `#${code}`, `=${code}`, ` ${code}`);
  return code;
}
