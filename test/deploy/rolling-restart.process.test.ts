import { Agent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { freePort, type RunningServer, startServer } from '../support/process.ts';
import { askProxy, type ProxyAnswer, type RunningProxy } from '../support/proxies.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { host, proxyNames, settings, startShippedProxy } from './shipped.ts';

const visitorsPerProxy = 6;
const thinkMs = 20;

const redis = await startRedisServer('secret');
const ports = [await freePort(), await freePort()] as const;
const env = {
  NODE_ENV: 'production',
  SESSION_SECRET: 'a secret of the operator of 32 characters and more',
  REDIS_URL: redis.url,
  ...settings,
};
const startOn = (port: number) => startServer({ env: { ...env, PORT: String(port) } });

test('behind the shipped proxies, no request fails while both processes are replaced', async () => {
  const servers = await Promise.all(ports.map(startOn));
  const proxies = await Promise.all(
    proxyNames.map(async (name) => [name, await startShippedProxy(name, ports)] as const),
  );
  const visitors = proxies.flatMap(([name, proxy]) =>
    Array.from({ length: visitorsPerProxy }, (_, number) => new ProxyVisitor(proxy, `${name}-${number}@example.com`)),
  );
  const visits = visitors.map((visitor) => visitor.start());

  for (const [position, port] of ports.entries()) {
    servers[position] = await replace(servers[position], port);
    await moreRounds(visitors);
  }
  for (const visitor of visitors) visitor.stop();
  await Promise.all(visits);

  const table = proxies.map(([name, proxy]) => {
    const own = visitors.filter((visitor) => visitor.proxy === proxy);
    const requests = own.reduce((sum, visitor) => sum + visitor.requests, 0);
    return { proxy: name, requests, failed: own.flatMap((visitor) => visitor.failures) };
  });
  console.table(table.map(({ failed, ...row }) => ({ ...row, failed: failed.length })));
  expect(table.map(({ proxy, failed }) => ({ proxy, failed }))).toEqual(
    proxyNames.map((proxy) => ({ proxy, failed: [] })),
  );
});

/** As an operator does it: stop one, start it again, and go on when it is ready. */
async function replace(server: RunningServer | undefined, port: number): Promise<RunningServer> {
  if (!server) throw new Error('there is one for each port');
  process.kill(server.pid, 'SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
  const successor = await startOn(port);
  await expect.poll(async () => (await fetch(`${successor.url()}/readyz`)).status).toBe(200);
  return successor;
}

/** Waits until each visitor has used the whole site again: one round may have begun before. */
async function moreRounds(visitors: ProxyVisitor[]): Promise<void> {
  const before = visitors.map(({ rounds }) => rounds);
  const added = () => Math.min(...visitors.map(({ rounds }, position) => rounds - (before[position] ?? 0)));
  await expect.poll(added, { timeout: 20_000, interval: 20 }).toBeGreaterThanOrEqual(2);
}

/** Somebody who signs in, uses the site and logs out, on a connection that is kept. */
class ProxyVisitor {
  readonly proxy: RunningProxy;
  readonly failures: string[] = [];
  requests = 0;
  rounds = 0;
  readonly #email: string;
  readonly #agent: Agent;
  #isStopped = false;
  #cookie = '';

  constructor(proxy: RunningProxy, email: string) {
    this.proxy = proxy;
    this.#email = email;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1, ca: proxy.certificate.cert });
  }

  async start(): Promise<void> {
    await this.#ask('POST', '/login', 303, `email=${encodeURIComponent(this.#email)}`);
    while (!this.#isStopped) {
      for (const path of ['/admin', '/style.css', '/']) await this.#ask('GET', path, 200);
      await this.#ask('POST', '/admin/end-other-sessions', 303);
      this.rounds += 1;
      await sleep(thinkMs);
    }
    await this.#ask('POST', '/logout', 303);
    this.#agent.destroy();
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #ask(method: string, path: string, expected: number, body?: string): Promise<void> {
    this.requests += 1;
    const type = body === undefined ? {} : { 'Content-Type': 'application/x-www-form-urlencoded' };
    const headers = { Accept: 'text/html', ...(this.#cookie && { Cookie: this.#cookie }), ...type };
    try {
      const answer = await askProxy(this.proxy, { method, host, path, headers, body, agent: this.#agent });
      if (answer.status !== expected)
        this.failures.push(`${method} ${path}: ${answer.status} ${answer.text.slice(0, 200)}`);
      this.#takeCookie(answer);
    } catch (error) {
      this.failures.push(`${method} ${path}: ${error}`);
    }
  }

  #takeCookie({ headers }: ProxyAnswer): void {
    const [cookie] = [headers['set-cookie'] ?? []].flat();
    if (cookie !== undefined) this.#cookie = cookie.split(';')[0] ?? '';
  }
}
