import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { SMTPServer, type SMTPServerDataStream } from 'smtp-server';

type Accepted = { to: string; code: string | undefined; at: number };

/** What the relay does at each step: nothing, take its time, or reject with an SMTP reply. */
export type Behaviour = {
  maxConnections?: number;
  sender?: () => Promise<void> | void;
  recipient?: (to: string) => Promise<void> | void;
  data?: (relay: Relay) => Promise<void> | void;
};

export type Relay = {
  url: () => string;
  /** What has been accepted, oldest first. */
  accepted: Accepted[];
  /** Closes all connections, as a crash would. */
  stop: () => Promise<void>;
  /** Starts again, on the same port. */
  start: () => Promise<void>;
};

/** An SMTP reply with which a step is rejected, such as 450. */
export class SmtpReply extends Error {
  readonly responseCode: number;

  constructor(responseCode: number, text: string) {
    super(text);
    this.responseCode = responseCode;
  }
}

/** Starts a mail server that records which mail it accepts, and when. */
export async function startRelay(behaviour: Behaviour = {}): Promise<Relay> {
  const sockets = new Set<Socket>();
  let server: SMTPServer | undefined;
  let port = 0;

  async function start(): Promise<void> {
    const started = new SMTPServer({
      authOptional: true,
      disabledCommands: ['AUTH', 'STARTTLS'],
      disableReverseLookup: true,
      ...(behaviour.maxConnections !== undefined && { maxClients: behaviour.maxConnections }),
      onMailFrom: (_address, _session, done) => answer(async () => behaviour.sender?.(), done),
      onRcptTo: ({ address }, _session, done) => answer(async () => behaviour.recipient?.(address), done),
      onData: (stream, { envelope }, done) =>
        answer(async () => {
          const code = codeIn(await read(stream));
          await behaviour.data?.(relay);
          const to = envelope.rcptTo[0]?.address ?? '';
          relay.accepted.push({ to, code, at: performance.now() });
        }, done),
    });
    // Clients that are killed reset their connections.
    started.on('error', () => {});
    started.server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    started.listen(port, '127.0.0.1');
    await once(started.server, 'listening');
    port = (started.server.address() as AddressInfo).port;
    server = started;
  }

  async function stop(): Promise<void> {
    const stopped = server;
    server = undefined;
    for (const socket of sockets) socket.destroy();
    if (stopped) await new Promise<void>((done) => stopped.close(() => done()));
  }

  const relay: Relay = { url: () => `smtp://127.0.0.1:${port}`, accepted: [], stop, start };
  await start();
  return relay;
}

function answer(step: () => Promise<void>, done: (error?: Error | null) => void): void {
  step().then(
    () => done(),
    (error: Error) => done(error),
  );
}

async function read(stream: SMTPServerDataStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

function codeIn(text: string): string | undefined {
  const [, first, second] = /^Subject: (\d{4}) (\d{4}) /m.exec(text) ?? [];
  return first !== undefined && second !== undefined ? first + second : undefined;
}
