import type { Socket } from 'node:net';
import type { Response } from 'express';

/** In place of an owner, as public/live-tabs/live-tabs.js knows it. */
export const nobody = 'nobody';
const streamHeaders = {
  'Content-Type': 'text/event-stream',
  // Compression would hold messages back. After a `no-store`, Chromium would not keep the page for Back.
  'Cache-Control': 'no-cache, no-transform',
  // For nginx, which would hold them back as well.
  'X-Accel-Buffering': 'no',
  Connection: 'close',
};

/** An answer that claims nothing, of the kind that the browser has asked for. */
export function emptyStream(res: Response): Response {
  return res.writeHead(200, streamHeaders);
}

/** The whole stream of a browser without a session. */
export function sayNobody(res: Response): void {
  emptyStream(res).end(message(nobody));
}

/** One event of a stream. */
export function message(owner: string): string {
  return `data: ${owner}\n\n`;
}

/**
 * Begins a stream that goes on after its response: that would keep all headers, and what they were made of, for as long
 * as the stream is open, which is half of its memory. The end of the connection is that of the stream (RFC 9112, 6.3).
 */
export function beginStream(res: Response): Socket | undefined {
  const { req, socket } = res;
  const headers = { Date: new Date().toUTCString(), ...res.getHeaders(), ...streamHeaders };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  Object.assign(req, { headers: {}, rawHeaders: [], next: undefined });
  // What refuses a malformed request would write its answer into the stream.
  Object.defineProperty(res, 'headersSent', { value: true });
  // The limit on silence is for connections without a request; heartbeats find out who is gone.
  socket?.setTimeout(0);
  socket?.write(`HTTP/1.1 200 OK\r\n${lines.join('')}\r\n`);
  return socket ?? undefined;
}
