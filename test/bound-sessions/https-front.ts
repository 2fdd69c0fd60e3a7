import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterwards } from '../support/afterwards.ts';
import { type Certificate, certificateFor } from '../support/certificate.ts';

export type HttpsFront = {
  port: number;
  certificate: Certificate;
  /** What browsers have asked for through it, the latest last. */
  requests: { method: string; path: string; headers: http.IncomingHttpHeaders; status: number }[];
  /** Forwards to another app from now on, as after a restart. */
  forwardTo: (url: string) => void;
  /** Answers in place of the app, where it returns true. */
  intercept: (handle: ((req: http.IncomingMessage, res: http.ServerResponse) => boolean) | undefined) => void;
};

/** A proxy that speaks https for these hosts, in front of an app; closed after the file's last test. */
export async function startHttpsFront(url: string, host: string, ...others: string[]): Promise<HttpsFront> {
  const certificate = certificateFor(host, ...others);
  const requests: HttpsFront['requests'] = [];
  let target = url;
  let handle: ((req: http.IncomingMessage, res: http.ServerResponse) => boolean) | undefined;
  const server = https.createServer({ key: certificate.key, cert: certificate.cert }, (req, res) => {
    const { method = '', url: path = '', headers } = req;
    res.once('finish', () => requests.push({ method, path, headers, status: res.statusCode }));
    if (handle?.(req, res)) return;
    const forwarded = { ...headers, 'x-forwarded-proto': 'https', 'x-forwarded-for': '198.18.0.1' };
    const inner = http.request(new URL(path, target), { method, headers: forwarded }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(res);
    });
    inner.on('error', () => res.destroy());
    req.pipe(inner);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  afterwards(
    () =>
      new Promise<void>((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  );
  return {
    port: (server.address() as AddressInfo).port,
    certificate,
    requests,
    forwardTo: (next) => {
      target = next;
    },
    intercept: (next) => {
      handle = next;
    },
  };
}
