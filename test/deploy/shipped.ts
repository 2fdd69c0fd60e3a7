import { type ProxyName, type RunningProxy, startProxy } from '../support/proxies.ts';

/** The host of the shipped files. */
export const host = 'login.example.com';

export const proxyNames: readonly ProxyName[] = ['nginx', 'caddy', 'haproxy'];

/** Runs a proxy with the files for Latchkey itself; stopped after the file's last test. @param ports of two processes */
export function startShippedProxy(name: ProxyName, ports: readonly [number, number]): Promise<RunningProxy> {
  return startProxy(name, {
    paths: { nginx: 'nginx', caddy: 'caddy/Caddyfile', haproxy: 'haproxy' },
    hosts: [host],
    replace: (text) =>
      text.replaceAll('127.0.0.1:3001', `127.0.0.1:${ports[0]}`).replaceAll('127.0.0.1:3002', `127.0.0.1:${ports[1]}`),
  });
}

/** The settings that the shipped files name. */
export const settings = { BASE_URL: `https://${host}`, TRUST_PROXY: 'loopback' };
