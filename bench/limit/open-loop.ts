import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

export type OpenLoad = {
  port: number;
  /** One request, as it is sent. */
  request: string;
  /** The length of the right answer's body, so that nobody measures another page. */
  contentLength: number;
  connections: number;
  /** Requests are due at this rate, whether or not earlier ones were answered. Infinity keeps all connections busy. */
  perSecond: number;
  seconds: number;
  /** What is due before this counts for nothing. */
  settleSeconds: number;
};

/**
 * Latencies from when a request was due, in ms. Infinity if the load was cut short, since the server fell far behind or
 * answered with an error (5xx).
 */
export type OpenResult = { perSecond: number; p50: number; p99: number };

export type OpenLoader = { run: (load: OpenLoad) => Promise<OpenResult>; stop: () => void };

/** When the oldest unsent request has waited this long, far more than one in a hundred has waited over 50 ms. */
const maxWaitMs = 250;

/** The load comes from a process of its own, always on the Node that runs the bench. */
export function startOpenLoader(): OpenLoader {
  const options = { serialization: 'advanced' } as const;
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), ['--generate-open-load'], options);
  return {
    async run(load) {
      child.send(load);
      const [reply] = await once(child, 'message');
      if ('problem' in reply) throw new Error(reply.problem);
      return reply;
    },
    stop: () => child.kill(),
  };
}

if (process.argv[2] === '--generate-open-load') {
  process.on('message', async (load: OpenLoad) => {
    process.send?.(await generate(load).catch((error) => ({ problem: String(error) })));
  });
}

/**
 * Sends requests when they are due, at a constant rate. One that is due while all connections are busy waits here, and its
 * wait counts: a slow server can't slow down the load that measures it.
 * @throws if an answer is neither the right one nor an error of the server
 */
export async function generate(load: OpenLoad): Promise<OpenResult> {
  const { perSecond, seconds, settleSeconds, connections } = load;
  const isSaturating = perSecond === Number.POSITIVE_INFINITY;
  const total = isSaturating ? Number.POSITIVE_INFINITY : Math.round((settleSeconds + seconds) * perSecond);
  const measuredFrom = isSaturating ? 0 : Math.round(settleSeconds * perSecond);
  const idle: Connection[] = [];
  const latencies: number[] = [];
  let next = 0;
  let underWay = 0;
  let answered = 0;
  let isOver = false;
  let isTooMuch = false;
  let errors = 0;
  let stop = (_problem?: Error): void => {};
  const stopped = new Promise<void>((done, fail) => {
    stop = (problem) => {
      if (problem instanceof Overload) errors += 1;
      else if (problem) fail(problem);
      if (problem === undefined || !isSaturating) done();
    };
  });
  // Rejects before it is awaited if a connection can't be opened.
  stopped.catch(() => {});
  const all = Array.from({ length: connections }, () => openConnection(load, stop));
  idle.push(...(await Promise.all(all)));
  const startedAt = performance.now();
  const dueAt = (position: number, now: number) => (isSaturating ? now : startedAt + (position / perSecond) * 1000);

  function sendDue(): void {
    const now = performance.now();
    if (isSaturating && now > startedAt + (settleSeconds + seconds) * 1000) isOver = true;
    while (!isOver && next < total && dueAt(next, now) <= now) {
      const connection = idle.pop();
      if (!connection) break;
      send(connection, next, dueAt(next, now));
      next += 1;
    }
    const isLost = !isOver && next > measuredFrom && next < total && now - dueAt(next, now) > maxWaitMs;
    if (isLost) {
      isTooMuch = true;
      isOver = true;
    }
    if ((isOver || next === total) && underWay === 0) stop();
  }

  function send(connection: Connection, position: number, due: number): void {
    underWay += 1;
    connection.ask(() => {
      const now = performance.now();
      underWay -= 1;
      idle.push(connection);
      if (now >= startedAt + settleSeconds * 1000) answered += 1;
      if (position >= measuredFrom) latencies.push(now - due);
      sendDue();
    });
  }

  const timer = setInterval(sendDue, 1);
  try {
    await stopped;
  } finally {
    clearInterval(timer);
    for (const connection of await Promise.all(all)) connection.close();
  }
  latencies.sort((a, b) => a - b);
  const at = (share: number) =>
    isTooMuch || errors > 0
      ? Number.POSITIVE_INFINITY
      : (latencies[Math.floor(latencies.length * share)] ?? Number.NaN);
  const measuredSeconds = (performance.now() - startedAt) / 1000 - settleSeconds;
  return { perSecond: Math.max(0, answered - errors) / measuredSeconds, p50: at(0.5), p99: at(0.99) };
}

type Connection = { ask: (answered: () => void) => void; close: () => void };

/** A connection that is kept, and opened again when the server closes it after an answer, as nginx does after 1,000. */
async function openConnection(load: OpenLoad, fail: (problem: Error) => void): Promise<Connection> {
  const request = Buffer.from(load.request, 'latin1');
  let answered: (() => void) | undefined;
  let socket = open();
  /** Of the answer that arrives: the head so far, and then how many bytes of the body are still to come. */
  let head = '';
  let missing: number | undefined;
  let closesAfter = false;
  let isClosed = false;

  function open(): Socket {
    // One buffer for all reads: the load shall cost as little as possible.
    const onread = { buffer: Buffer.allocUnsafe(65_536), callback: take };
    const opened = connect({ host: '127.0.0.1', port: load.port, noDelay: true, onread });
    opened.on('error', fail);
    opened.on('close', () => {
      if (opened !== socket || isClosed) return;
      if (answered) fail(new Error('the connection was closed before the answer'));
      else socket = open();
    });
    return opened;
  }

  function take(length: number, bytes: Uint8Array): boolean {
    let bodyBytes = length;
    if (missing === undefined) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1');
      const before = head.length;
      head += text;
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) return true;
      const fields = head.slice(0, end);
      missing = Number(/^content-length: (\d+)/im.exec(fields)?.[1]);
      const problem = problemOf(fields, missing === load.contentLength);
      if (problem) fail(problem);
      closesAfter = /^connection: close/im.test(fields);
      bodyBytes = before + length - (end + 4);
      head = '';
    }
    missing -= bodyBytes;
    if (missing > 0) return true;
    missing = undefined;
    if (closesAfter) reopen();
    const done = answered;
    answered = undefined;
    done?.();
    return true;
  }

  function reopen(): void {
    const old = socket;
    socket = open();
    old.destroy();
  }

  await once(socket, 'connect');
  return {
    ask(done) {
      answered = done;
      socket.write(request);
    },
    close() {
      isClosed = true;
      socket.destroy();
    },
  };
}

class Overload extends Error {}

function problemOf(head: string, isRightLength: boolean): Error | undefined {
  if (head.startsWith('HTTP/1.1 200 ') && isRightLength) return undefined;
  if (head.startsWith('HTTP/1.1 5')) return new Overload(head);
  return new Error(`unexpected answer:\n${head}`);
}
