import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { closeIdleConnections, connectionsOf } from '../../http/http-server.ts';
import { type HeaderSetter, headerValues } from '../../shared/header-values.ts';
import { rawRefusal, refusalOfError, refusalOfRequest, refuse } from './refusals.ts';

/** Browsers and proxies send none ahead. Whole packets of requests would keep everybody else waiting for seconds. */
const maxPipelined = 10;
/** Looking for idle connections among thousands takes a millisecond. */
const makeRoomEveryMs = 1000;

/**
 * Limits what one client may cost a server. Requests that are ambiguous or expensive to parse are refused before the app
 * sees them, and a full server closes idle connections to make room. A connection may carry any number of requests one
 * after the other: the next costs no more than the first.
 * @param setHeaders sets the headers of every refusal: the security headers
 */
export function limitConnections(server: Server, setHeaders: HeaderSetter): void {
  refuseRequests(server, headerValues(setHeaders));
  makeRoomWhenFull(server);
}

function refuseRequests(server: Server, headers: Record<string, string>): void {
  const openResponses = new WeakMap<Duplex, Set<ServerResponse>>();

  function check(req: IncomingMessage, res: ServerResponse): void {
    const { socket } = req;
    const open = openResponses.get(socket) ?? new Set();
    openResponses.set(socket, open.add(res));
    res.once('close', () => open.delete(res));
    if (open.size > 1 + maxPipelined) {
      socket.destroy();
      return;
    }
    const refusal = refusalOfRequest(req);
    if (refusal) refuse(res, refusal, headers);
  }

  server.prependListener('request', check);
  // Node would answer these two itself, without our headers: a missing Host, and an unknown expectation.
  Object.assign(server, { requireHostHeader: false });
  server.on('checkExpectation', (req, res) => server.emit('request', req, res));
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

function makeRoomWhenFull(server: Server): void {
  let madeRoomAt = 0;

  function makeRoom(newcomer?: Socket): void {
    // Once the clock has been set back, the difference is negative until it has caught up.
    if (Math.abs(Date.now() - madeRoomAt) < makeRoomEveryMs) return;
    madeRoomAt = Date.now();
    closeIdleConnections(server, newcomer);
  }

  server.on('connection', (newcomer) => {
    if (connectionsOf(server).size >= server.maxConnections) makeRoom(newcomer);
  });
  // Node reports no connection beyond the limit, only that it refused one.
  server.on('drop', () => makeRoom());
}
