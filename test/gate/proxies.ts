import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type http from 'node:http';
import https from 'node:https';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { vi } from 'vitest';
import { findOnPath } from '../../src/dev/private-redis.ts';
import type { ChromiumOptions } from '../support/browser.ts';
import { certificateFor } from '../support/certificate.ts';
import { freePort, newDirectory, startProcess } from '../support/process.ts';
import { type Answer, GateBrowser, type Sent } from './gate-app.ts';
import { shipped, writeNginxFiles } from './nginx-files.ts';

/** Those of the shipped files. */
export const hosts = { login: 'login.example.com', wiki: 'wiki.example.net', reports: 'reports.example.org' };
export const origins = {
  login: `https://${hosts.login}`,
  wiki: `https://${hosts.wiki}`,
  reports: `https://${hosts.reports}`,
};

const authority = certificateFor(hosts.login, hosts.wiki, hosts.reports);

/** Where the servers of a test listen, in place of the addresses in the shipped files. */
type Upstreams = { latchkey: number; wiki: number; reports: number };

export type RunningProxy = { port: number; certificate: typeof authority };
export type ProxyName = 'nginx' | 'caddy' | 'haproxy';

/** Runs a proxy with the files that we ship, whose addresses alone are replaced; stopped after the file's last test. */
export async function startProxy(name: ProxyName, upstreams: Upstreams): Promise<RunningProxy> {
  const directory = newDirectory(`${name}-`);
  const port = await freePort();
  const [certificate, key] = [join(directory, 'example.pem'), join(directory, 'example.key')];
  writeFileSync(certificate, name === 'haproxy' ? authority.cert + authority.key : authority.cert);
  writeFileSync(key, authority.key);
  const replace = (text: string) =>
    text
      .replaceAll('127.0.0.1:3000', `127.0.0.1:${upstreams.latchkey}`)
      .replaceAll('127.0.0.1:8001', `127.0.0.1:${upstreams.wiki}`)
      .replaceAll('127.0.0.1:8002', `127.0.0.1:${upstreams.reports}`);
  const command = await { nginx, caddy, haproxy }[name]({ directory, port, certificate, key, replace });
  const { ended, printed } = startProcess({ command, cwd: directory, env: { HOME: directory } });
  const early = ended.then(({ code }) => Promise.reject(new Error(`${name} ended with code ${code}:\n${printed()}`)));
  await Promise.race([vi.waitFor(() => reach(port), { timeout: 10_000, interval: 20 }), early]);
  early.catch(() => {});
  return { port, certificate: authority };
}

type Place = { directory: string; port: number; certificate: string; key: string; replace: (text: string) => string };

async function nginx(place: Place): Promise<string[]> {
  const redirectPort = await freePort();
  return [programOf('nginx'), ...writeNginxFiles({ ...place, redirectPort })];
}

async function caddy({ directory, port, certificate, key, replace }: Place): Promise<string[]> {
  const options = `{\n\tadmin off\n\thttps_port ${port}\n\tauto_https disable_redirects\n\tskip_install_trust\n}\n`;
  const text = replace(readFileSync(join(shipped, 'Caddyfile'), 'utf8')).replaceAll(
    /^[\w.]+ \{\n/gm,
    (line) => `${line}\tbind 127.0.0.1\n\ttls ${certificate} ${key}\n`,
  );
  writeFileSync(join(directory, 'Caddyfile'), options + text);
  return [programOf('caddy'), 'run', '--config', join(directory, 'Caddyfile')];
}

async function haproxy({ directory, port, certificate, replace }: Place): Promise<string[]> {
  for (const file of readdirSync(join(shipped, 'haproxy'))) {
    const text = replace(readFileSync(join(shipped, 'haproxy', file), 'utf8'))
      .replaceAll('bind :443', `bind 127.0.0.1:${port}`)
      .replaceAll('/etc/haproxy/certificates/example.pem', certificate)
      .replaceAll('/etc/haproxy/', `${directory}/`);
    writeFileSync(join(directory, file), text);
  }
  return [programOf('haproxy'), '-db', '-f', join(directory, 'haproxy.cfg')];
}

// Debian keeps servers where not everybody's PATH leads.
function programOf(name: ProxyName): string {
  const program = findOnPath([name]) ?? `/usr/sbin/${name}`;
  if (!existsSync(program)) throw new Error(`there is no ${name}: run \`node scripts/setup.mjs ${name}\``);
  return program;
}

function reach(port: number): Promise<void> {
  return new Promise((done, fail) => {
    const socket = createConnection(port, '127.0.0.1', () => {
      socket.destroy();
      done();
    });
    socket.once('error', fail);
  });
}

/** A browser behind whose requests is a real proxy. */
export class ProxiedBrowser extends GateBrowser {
  readonly #proxy: RunningProxy;

  constructor(proxy: RunningProxy) {
    super({ url: '' });
    this.#proxy = proxy;
  }

  protected override openInSite(url: string): Promise<Answer> {
    return this.visit(url);
  }

  protected override async send({ method, origin, path, headers, form }: Sent) {
    const body = form && new URLSearchParams(form).toString();
    const type = body === undefined ? {} : { 'Content-Type': 'application/x-www-form-urlencoded' };
    return askProxy(this.#proxy, { method, host: new URL(origin).host, path, headers: { ...headers, ...type }, body });
  }
}

export type ProxyRequest = {
  method?: string;
  host: string;
  path: string;
  headers?: http.OutgoingHttpHeaders;
  body?: string | Buffer | undefined;
};

/** One request to a proxy over TLS, with just these headers. */
export function askProxy(proxy: RunningProxy, { method = 'GET', host, path, headers, body }: ProxyRequest) {
  return new Promise<{ status: number; headers: Record<string, string>; text: string }>((done, fail) => {
    const { port, certificate } = proxy;
    const options = {
      method,
      path,
      port,
      host: '127.0.0.1',
      servername: host,
      ca: certificate.cert,
      agent: false as const,
    };
    const asked = https.request({ ...options, headers: { Host: host, ...headers } }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      done({
        status: response.statusCode ?? 0,
        headers: response.headers as Record<string, string>,
        text: Buffer.concat(chunks).toString(),
      });
    });
    asked.once('error', fail).end(body);
  });
}

/** What Chromium needs to find the sites behind a proxy, and to trust it. */
export function chromiumBehind({ port, certificate }: RunningProxy): ChromiumOptions {
  const resolves = Object.fromEntries(Object.values(hosts).map((host) => [host, `127.0.0.1:${port}`]));
  return { trusts: certificate, resolves };
}
