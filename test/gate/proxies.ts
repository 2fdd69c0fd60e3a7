import { askProxy, type ProxyName, type RunningProxy, startProxy } from '../support/proxies.ts';
import { type Answer, GateBrowser, type Sent } from './gate-app.ts';

/** Those of the shipped files. */
export const hosts = { login: 'login.example.com', wiki: 'wiki.example.net', reports: 'reports.example.org' };
export const origins = {
  login: `https://${hosts.login}`,
  wiki: `https://${hosts.wiki}`,
  reports: `https://${hosts.reports}`,
};

/** Where the servers of a test listen. */
type Upstreams = { latchkey: number; wiki: number; reports: number };

/** Runs a proxy with the files of the gate; stopped after the file's last test. */
export function startGateProxy(name: ProxyName, { latchkey, wiki, reports }: Upstreams): Promise<RunningProxy> {
  return startProxy(name, {
    paths: { nginx: 'gate/nginx', caddy: 'gate/Caddyfile', haproxy: 'gate/haproxy' },
    hosts: Object.values(hosts),
    replace: (text) =>
      text
        .replaceAll('127.0.0.1:3000', `127.0.0.1:${latchkey}`)
        .replaceAll('127.0.0.1:8001', `127.0.0.1:${wiki}`)
        .replaceAll('127.0.0.1:8002', `127.0.0.1:${reports}`),
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
