import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterwards } from './afterwards.ts';

export type Balancer = {
  url: string;
  /** Sends visitors there as well, while `/readyz` says so. */
  add: (url: string) => void;
  remove: (url: string) => void;
  /** Those that visitors are sent to. */
  ready: () => string[];
};

const askEveryMs = 100;

/** What stands before several processes: one after the other gets a request, over connections that are kept. */
export async function startBalancer(): Promise<Balancer> {
  const isReady = new Map<string, boolean>();
  const ready = () => [...isReady].filter(([, is]) => is).map(([url]) => url);
  const agent = new Agent({ keepAlive: true });
  let turn = 0;

  function forward(req: IncomingMessage, res: ServerResponse): void {
    const among = ready();
    turn += 1;
    const url = `${among[turn % among.length] ?? 'http://nobody.invalid'}${req.url}`;
    const onward = request(url, { agent, method: req.method, headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(res);
    });
    onward.once('error', ({ message }) => res.writeHead(502).end(message));
    req.pipe(onward);
  }

  async function ask(): Promise<void> {
    const asked = [...isReady.keys()].map(async (url) => {
      const ok = await fetch(`${url}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      );
      if (isReady.has(url)) isReady.set(url, ok);
    });
    await Promise.all(asked);
  }

  const server = createServer(forward);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const asking = setInterval(() => void ask(), askEveryMs);
  afterwards(() => {
    clearInterval(asking);
    agent.destroy();
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    add: (url) => isReady.set(url, false),
    remove: (url) => isReady.delete(url),
    ready,
  };
}
