import http from 'node:http';
import type { Socket } from 'node:net';
import type { Express } from 'express';

const limits = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 10_000,
  connectionsCheckingInterval: 5000,
  maxHeaderSize: 16 * 1024,
};

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
 * Stops listening, lets open requests finish, and closes connections as they fall idle: a plain `close()`
 * waits for keep-alive clients to go by themselves.
 */
export async function closeHttpServer(server: http.Server): Promise<void> {
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  try {
    await new Promise<void>((done) => server.close(() => done()));
  } finally {
    clearInterval(sweep);
  }
}
