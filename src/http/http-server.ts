import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** What one client may cost. A proxy in front has limits of its own; these hold where somebody reaches past it. */
const limits: http.ServerOptions = {
  headersTimeout: 10_000, // Also for connections on which nothing is ever sent.
  requestTimeout: 15_000, // The largest body that a page accepts, 16 kB, needs 9 kbit/s.
  connectionsCheckingInterval: 1000, // How late the two timeouts above may be noticed.
  // Longer than proxies keep theirs (usually 60 s): otherwise they send requests into connections that just closed.
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16 * 1024, // Room for the cookies of a whole domain; Node's default.
};
const maxSilenceMs = 15_000; // Also for a response that nobody reads, which stays buffered in memory.
const maxConnections = 10_000; // About 150 MB when all are idle.
const closeWithinMs = 5000;
const newcomerGraceMs = 500;

type App = (...given: [...Parameters<http.RequestListener>, next?: () => void]) => unknown;
const connections = new WeakMap<http.Server, Set<Socket>>();

/** An HTTP server for an Express app, or for a plain listener. */
export function createHttpServer(app: App, options: http.ServerOptions = {}): http.Server {
  const server = http.createServer({ ...limits, ...options });
  server.timeout = maxSilenceMs;
  server.maxConnections = maxConnections;
  const sockets = new Set<Socket>();
  connections.set(server, sockets);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('request', (req, res) => {
    // A listener before this one may have refused it.
    if (res.writableEnded || req.socket.destroyed) return;
    // `OPTIONS *` names no page. Express-session would skip it, and every page relies on a session.
    if (req.url?.startsWith('*')) req.url = `/${req.url}`;
    // Express would answer by itself what it can't parse, such as `http://[/`. Read as a path, it gets a page of ours.
    const readAsPath = () => app(Object.assign(req, { url: `/${req.url}`, originalUrl: undefined }), res);
    app(req, res, /^\/[^#]*$/.test(req.url ?? '') ? undefined : readAsPath);
  });
  return server;
}

/**
 * Listens, or rejects with the reason and the settings that would help. Port 0 is any that is free.
 * @param prefix what the names of these settings begin with, before HOST and PORT
 */
export async function listen(server: http.Server, port: number, host: string, prefix = ''): Promise<void> {
  try {
    await once(server.listen(port, host), 'listening');
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    const useOther = `Set ${prefix}HOST and ${prefix}PORT to where this user may listen.`;
    const fix = code === 'EADDRINUSE' ? `Stop the other program, or set ${prefix}PORT.` : useOther;
    throw new Error(`${message}. ${fix}`);
  }
}

/** The port on which a server listens. */
export function portOf(server: http.Server): number {
  return (server.address() as AddressInfo).port;
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
  // Lets the owners of endless responses, such as event streams, end them.
  server.emit('closing');
  const startedAt = performance.now();
  const sweep = setInterval(() => {
    // A connection that was only just opened may be about to bring its request.
    if (performance.now() - startedAt < newcomerGraceMs) server.closeIdleConnections();
    else closeIdleConnections(server);
  }, 50);
  const deadline = setTimeout(() => {
    cutOff = connectionsOf(server).size;
    server.closeAllConnections();
    for (const socket of connectionsOf(server)) socket.destroy(); // Node itself does not know of open WebSockets.
  }, closeWithinMs);
  await new Promise<void>((done) => server.close(() => done()));
  clearInterval(sweep);
  clearTimeout(deadline);
  return cutOff;
}

/** The open connections of a server that `createHttpServer()` made. */
export function connectionsOf(server: http.Server): ReadonlySet<Socket> {
  return connections.get(server) ?? new Set();
}

/** Closes the connections that have no open request, including those on which nothing ever arrived. */
export function closeIdleConnections(server: http.Server, except?: Socket): void {
  server.closeIdleConnections();
  // Node counts a connection on which nothing ever arrived as busy.
  for (const socket of connectionsOf(server)) {
    if (socket.bytesRead === 0 && socket !== except) socket.destroy();
  }
}
