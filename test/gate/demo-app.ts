import { createHash } from 'node:crypto';
import http from 'node:http';
import type { Duplex } from 'node:stream';
import { listen, portOf } from '../../src/http/http-server.ts';
import { afterwards } from '../support/afterwards.ts';

export type SeenRequest = {
  method: string;
  url: string;
  headers: http.IncomingHttpHeaders;
  rawHeaders: string[];
  bytes: number;
};

export type DemoApp = {
  port: number;
  /** What arrived, the oldest first. */
  seen: SeenRequest[];
  /** How many connections were opened so far. */
  connections: () => number;
};

const page = `<!doctype html><title>Demo</title><link rel="icon" href="data:,">
<h1>Demo</h1>
<form method="post" action="/saved"><input name="note" value="kept"><button>Save</button></form>`;

/** An app without a login: it answers everything, has a cookie and a form of its own, a stream, and takes any upgrade. */
export async function startDemoApp(): Promise<DemoApp> {
  const seen: SeenRequest[] = [];
  const open = new Set<Duplex>();
  let connections = 0;

  // As much as proxies pass on, which is more than Latchkey takes.
  const server = http.createServer({ maxHeaderSize: 64 * 1024 }, async (req, res) => {
    const entry = note(req);
    for await (const chunk of req) entry.bytes += chunk.length;
    if (req.url?.startsWith('/events')) {
      open.add(res.socket ?? req.socket);
      res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: hello\n\n');
      return;
    }
    res.setHeader('Set-Cookie', 'demo=of-the-demo-app; Path=/; HttpOnly');
    if (req.url?.startsWith('/data')) res.setHeader('Content-Type', 'application/json').end('{"fresh":true}');
    else res.setHeader('Content-Type', 'text/html').end(page);
  });
  server.on('connection', () => {
    connections += 1;
  });
  server.on('upgrade', (req, socket) => {
    note(req);
    open.add(socket);
    const protocol = String(req.headers.upgrade);
    if (protocol !== 'websocket') {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${protocol}\r\nConnection: Upgrade\r\n\r\n`);
      return;
    }
    // RFC 6455, 1.3
    const magic = `${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(magic).digest('base64');
    const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
    socket.write(`${[...head, `Sec-WebSocket-Accept: ${accept}`].join('\r\n')}\r\n\r\n`);
  });

  server.on('connect', (req, socket) => {
    note(req);
    open.add(socket);
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
  });

  function note({ method = '', url = '', headers, rawHeaders }: http.IncomingMessage): SeenRequest {
    const entry = { method, url, headers, rawHeaders, bytes: 0 };
    seen.push(entry);
    return entry;
  }

  await listen(server, 0, '127.0.0.1');
  afterwards(() => {
    for (const socket of open) socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  return { port: portOf(server), seen, connections: () => connections };
}
