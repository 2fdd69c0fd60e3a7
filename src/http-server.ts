import http from 'node:http';
import type { Socket } from 'node:net';
import type { Express } from 'express';

const limits = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  // Longer than proxies keep theirs (60 s, as a rule), which else send requests into connections that just closed.
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 5000,
  maxHeaderSize: 16 * 1024,
};
const closeWithinMs = 6000;

const socketsOf = new WeakMap<http.Server, Set<Socket>>();

/**
 * An HTTP server for an Express app.
 *
 * Express sets the prototype of each request and response, which below Node 24 costs more than everything
 * else it does: there the objects are constructed with that prototype. It can go when Node 22 has reached its
 * end of life (April 2027).
 */
export function createHttpServer(app: Express): http.Server {
  const nodeMajor = Number(process.versions.node.split('.')[0]);
  const server = http.createServer(nodeMajor < 24 ? { ...limits, ...withPrototypesOf(app) } : limits, app);
  server.maxHeadersCount = 100;

  const sockets = new Set<Socket>();
  socketsOf.set(server, sockets);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return server;
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

/**
 * Stops listening, lets open requests finish for at most 6 s, and closes connections as they fall idle: a plain
 * `close()` waits for keep-alive clients to go by themselves, and for browsers that only connected ahead.
 * @returns how many connections were cut off because their requests did not end
 */
export async function closeHttpServer(server: http.Server): Promise<number> {
  const sockets = socketsOf.get(server) ?? new Set();
  let cutOff = 0;
  const sweep = setInterval(() => {
    server.closeIdleConnections();
    // Node counts a connection on which nothing ever arrived as busy.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  }, 50);
  const deadline = setTimeout(() => {
    cutOff = sockets.size;
    server.closeAllConnections();
  }, closeWithinMs);
  await new Promise<void>((done) => server.close(() => done()));
  clearInterval(sweep);
  clearTimeout(deadline);
  return cutOff;
}
