import http from 'node:http';
import type { Socket } from 'node:net';
import type { Express } from 'express';

/**
 * Constructors of requests and responses for `http.createServer`. Express sets the prototype of each, which below Node 24
 * costs more than everything else it does: these construct them with it. Can be removed when Node 22 reaches its end of
 * life (April 2027).
 */
export function expressPrototypes(app: Express): http.ServerOptions {
  if (Number(process.versions.node.split('.')[0]) >= 24) return {};
  // Old-style constructors, because a class can't choose its prototype and Reflect.construct costs what is saved.
  function Request(this: http.IncomingMessage, socket: Socket) {
    Reflect.apply(http.IncomingMessage, this, [socket]);
  }
  function Response(this: http.ServerResponse, req: http.IncomingMessage, options: object) {
    Reflect.apply(http.ServerResponse, this, [req, options]);
  }
  Request.prototype = app.request;
  Response.prototype = app.response;
  return { IncomingMessage: Request, ServerResponse: Response } as unknown as http.ServerOptions;
}
