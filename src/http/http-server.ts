import http from 'node:http';
import type { Socket } from 'node:net';
import type { Express } from 'express';

/** What one client may cost. A proxy in front has limits of its own; these hold where somebody reaches past it. */
const limits = {
  // Slow headers, and connections on which nothing is ever sent. Browsers send all of theirs at once.
  headersTimeout: 10_000,
  // Slow and endless bodies. The largest that a page takes, 16 kB, needs 9 kbit/s.
  requestTimeout: 15_000,
  // How late these two may be.
  connectionsCheckingInterval: 1000,
  // Longer than proxies keep theirs (60 s, as a rule), which else send requests into connections that just closed.
  keepAliveTimeout: 65_000,
  // Room for the cookies of a whole domain (browsers and proxies stop at 8 kB), and little to keep for each connection.
  maxHeaderSize: 16 * 1024,
};
/** Who does not read an answer keeps it in our memory. */
const unreadTimeoutMs = 15_000;
/** Browsers send about 20, proxies add as many at most. */
const maxHeaders = 100;
/** Browsers and proxies send none ahead. Whole packets of requests would keep everybody else waiting for seconds. */
const maxPipelined = 10;
/** About 150 MB when all are idle, and far from the number of files that systems let a process open. */
const maxConnections = 10_000;
/** Looking for idle ones among thousands takes a millisecond. */
const makeRoomEveryMs = 1000;
const closeWithinMs = 6000;

const socketsOf = new WeakMap<http.Server, Set<Socket>>();

/**
 * An HTTP server for an Express app.
 *
 * Express sets the prototype of each request and response, which below Node 24 costs more than everything
 * else it does: there the objects are constructed with that prototype. It can go when Node 22 has reached its
 * end of life (April 2027).
 *
 * How many requests a connection has one after the other is not limited: the next costs no more than the first.
 * @param options.maxConnections when there are as many, idle ones are closed to make room
 */
export function createHttpServer(app: Express, options = { maxConnections }): http.Server {
  const nodeMajor = Number(process.versions.node.split('.')[0]);
  const constructors = nodeMajor < 24 ? withPrototypesOf(app) : {};
  const server = http.createServer({ ...limits, ...constructors }, guarded(app));
  server.timeout = unreadTimeoutMs;
  // Node leaves out what is beyond without a word, so one more shows that there were too many.
  server.maxHeadersCount = maxHeaders + 1;
  server.maxConnections = options.maxConnections;

  const sockets = new Set<Socket>();
  let madeRoomAt = 0;
  socketsOf.set(server, sockets);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    if (sockets.size >= options.maxConnections) makeRoom(socket);
  });
  // Beyond the limit Node tells of no connection, only that it refused one.
  server.on('drop', () => makeRoom());

  function makeRoom(newcomer?: Socket): void {
    if (Date.now() - madeRoomAt < makeRoomEveryMs) return;
    madeRoomAt = Date.now();
    closeIdle(server, newcomer);
  }
  return server;
}

function guarded(app: Express): http.RequestListener {
  const sentAhead = new WeakMap<Socket, number>();

  return function guard(req, res) {
    // A response has no socket yet while an earlier one has it.
    if (res.socket === null) {
      const { socket } = req;
      const ahead = (sentAhead.get(socket) ?? 0) + 1;
      if (ahead > maxPipelined) {
        socket.destroy();
        return;
      }
      sentAhead.set(socket, ahead);
      res.once('close', () => sentAhead.set(socket, (sentAhead.get(socket) ?? 1) - 1));
    }
    if (req.rawHeaders.length > 2 * maxHeaders) {
      // A header that was left out may be the one by which a request would be refused.
      res.writeHead(431, { Connection: 'close' }).end();
      return;
    }
    // `OPTIONS *` names no page. Express-session would leave it out, and every page counts on a session.
    if (req.url?.startsWith('*')) req.url = `/${req.url}`;
    app(req, res);
  };
}

type Constructors = Pick<http.ServerOptions, 'IncomingMessage' | 'ServerResponse'>;

// Old-style constructors, because a class can't choose its prototype and Reflect.construct costs what is saved.
function withPrototypesOf(app: Express): Constructors {
  function Request(this: http.IncomingMessage, socket: Socket) {
    Reflect.apply(http.IncomingMessage, this, [socket]);
  }
  function Response(this: http.ServerResponse, req: http.IncomingMessage, options: object) {
    Reflect.apply(http.ServerResponse, this, [req, options]);
  }
  Request.prototype = app.request;
  Response.prototype = app.response;
  return { IncomingMessage: Request, ServerResponse: Response } as unknown as Constructors;
}

/** Tells whoever keeps a connection to open the next one elsewhere, before this one is closed under a request. */
export function announceClosing(server: http.Server): void {
  server.prependListener('request', (_req, res) => res.setHeader('Connection', 'close'));
}

/**
 * Stops listening, lets open requests finish for at most 6 s, and closes connections as they fall idle: a plain
 * `close()` waits for keep-alive clients to go by themselves, and for browsers that only connected ahead.
 * @returns how many connections were cut off because their requests did not end
 */
export async function closeHttpServer(server: http.Server): Promise<number> {
  let cutOff = 0;
  const sweep = setInterval(() => closeIdle(server), 50);
  const deadline = setTimeout(() => {
    cutOff = socketsOf.get(server)?.size ?? 0;
    server.closeAllConnections();
  }, closeWithinMs);
  await new Promise<void>((done) => server.close(() => done()));
  clearInterval(sweep);
  clearTimeout(deadline);
  return cutOff;
}

function closeIdle(server: http.Server, except?: Socket): void {
  server.closeIdleConnections();
  // Node counts a connection on which nothing ever arrived as busy.
  for (const socket of socketsOf.get(server) ?? []) {
    if (socket.bytesRead === 0 && socket !== except) socket.destroy();
  }
}
