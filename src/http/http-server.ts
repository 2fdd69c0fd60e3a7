import http from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ResponseHeaders, rawRefusal, refusalOfError, refusalOfRequest, refuse } from './refusals.ts';

/** What one client may cost. A proxy in front has limits of its own; these hold where somebody reaches past it. */
const limits = {
  // Slow headers, and connections on which nothing is ever sent. Browsers send all of theirs at once.
  headersTimeout: 10_000,
  // Slow and endless bodies. The largest that a page accepts, 16 kB, needs 9 kbit/s.
  requestTimeout: 15_000,
  // How late these two may be.
  connectionsCheckingInterval: 1000,
  // Longer than proxies keep theirs (usually 60 s): otherwise they send requests into connections that just closed.
  keepAliveTimeout: 65_000,
  // Room for the cookies of a whole domain (browsers and proxies stop at 8 kB), and little to buffer per connection.
  maxHeaderSize: 16 * 1024,
  // Refused by ourselves, with the security headers.
  requireHostHeader: false,
};
/** Unread responses stay buffered in memory. */
const unreadTimeoutMs = 15_000;
/** Browsers and proxies send none ahead. Whole packets of requests would keep everybody else waiting for seconds. */
const maxPipelined = 10;
/** About 150 MB when all are idle, and far from the number of files that systems let a process open. */
const maxConnections = 10_000;
/** Looking for idle ones among thousands takes a millisecond. */
const makeRoomEveryMs = 1000;
const closeWithinMs = 5000;

const socketsOf = new WeakMap<http.Server, Set<Socket>>();

/**
 * An HTTP server for an Express app, or for a plain listener.
 *
 * Express sets the prototype of each request and response, which below Node 24 costs more than everything else it
 * does: there the objects are constructed with that prototype. This can be removed when Node 22 reaches its end of
 * life (April 2027).
 *
 * The number of requests on a connection, one after the other, is not limited: the next costs no more than the first.
 * @param headers of the responses that the app never sees: to what is no HTTP, too slow or too large
 * @param options.maxConnections when that many are open, idle ones are closed to make room
 */
export function createHttpServer(
  app: http.RequestListener,
  headers: ResponseHeaders,
  options = { maxConnections },
): http.Server {
  const nodeMajor = Number(process.versions.node.split('.')[0]);
  const constructors = nodeMajor < 24 && 'request' in app && 'response' in app ? withPrototypesOf(app) : {};
  const server = http.createServer({ ...limits, ...constructors });
  server.timeout = unreadTimeoutMs;
  server.maxConnections = options.maxConnections;
  guard(server, app, headers);
  trackConnections(server, options.maxConnections);
  return server;
}

function guard(server: http.Server, app: http.RequestListener, headers: ResponseHeaders): void {
  const openResponses = new WeakMap<Duplex, Set<http.ServerResponse>>();

  function handle(req: http.IncomingMessage, res: http.ServerResponse): void {
    const { socket } = req;
    const open = openResponses.get(socket) ?? new Set();
    openResponses.set(socket, open.add(res));
    res.once('close', () => open.delete(res));
    if (open.size > 1 + maxPipelined) {
      socket.destroy();
      return;
    }
    const refusal = refusalOfRequest(req);
    if (refusal) {
      refuse(res, refusal, headers);
      return;
    }
    // `OPTIONS *` names no page. Express-session would skip it, and every page relies on a session.
    if (req.url?.startsWith('*')) req.url = `/${req.url}`;
    app(req, res);
  }

  server.on('request', handle);
  // An expectation other than 100-continue, which Node would answer without our headers.
  server.on('checkExpectation', handle);
  server.on('clientError', (error, socket) => {
    const isAnswering = [...(openResponses.get(socket) ?? [])].some((res) => res.headersSent);
    if (!socket.writable || isAnswering || !(socket instanceof Socket)) {
      socket.destroy();
      return;
    }
    socket.write(rawRefusal(refusalOfError(error), headers));
    socket.destroySoon();
  });
}

function trackConnections(server: http.Server, maxConnections: number): void {
  const sockets = new Set<Socket>();
  let madeRoomAt = 0;
  socketsOf.set(server, sockets);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    if (sockets.size >= maxConnections) makeRoom(socket);
  });
  // Node reports no connection beyond the limit, only that it refused one.
  server.on('drop', () => makeRoom());

  function makeRoom(newcomer?: Socket): void {
    if (Date.now() - madeRoomAt < makeRoomEveryMs) return;
    madeRoomAt = Date.now();
    closeIdle(server, newcomer);
  }
}

type Constructors = Pick<http.ServerOptions, 'IncomingMessage' | 'ServerResponse'>;

// Old-style constructors, because a class can't choose its prototype and Reflect.construct costs what is saved.
function withPrototypesOf(app: { request: unknown; response: unknown }): Constructors {
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

/** Tells clients that keep a connection to open the next one elsewhere, before this one is closed under a request. */
export function announceClosing(server: http.Server): void {
  server.prependListener('request', (_req, res) => res.setHeader('Connection', 'close'));
}

/**
 * Stops listening, gives open requests up to 5 s to finish, and closes connections as they become idle: a plain
 * `close()` waits for keep-alive clients to leave, and for browsers that connected ahead of time.
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
