import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/config.ts';
import { measured, read, rowsBelow } from '../support/documents.ts';

const files = ['nginx/latchkey.conf', 'Caddyfile', 'haproxy/haproxy.cfg', 'traefik/latchkey.yml', 'envoy.yaml'];

test.each(files)('%s names the settings with which it works', (file) => {
  const text = read(`deploy/gate/${file}`);
  const env = Object.fromEntries(
    [...text.matchAll(/^#\s+((?:BASE|TRUST|GATE)_\w+)=(.+)$/gm)].map(([, name, value]) => [name, value]),
  );
  const { gate, origin } = readConfig({ NODE_ENV: 'test', ...env });
  expect(origin).toBe('https://login.example.com');
  expect(gate.sites.map((site) => site.origin)).toEqual(['https://wiki.example.net', 'https://reports.example.org']);
  for (const host of [origin ?? '', ...gate.sites.map((site) => site.origin)])
    expect(text).toContain(new URL(host).host);
});

describe('the files that no test runs', () => {
  const sentWithEveryYes = ['cookie', 'remote-assertion', 'remote-email', 'remote-user'];
  /** What Latchkey believes of some proxy, and neither Envoy nor Traefik replaces. */
  const wordsOfOtherProxies = [
    ...['forwarded', 'sec-latchkey-check', 'x-forwarded-ssl', 'x-original-method', 'x-original-url'],
  ];

  test("Envoy's lets nobody pass without an answer, and takes over all that the gate says", () => {
    const { static_resources } = parse(read('deploy/gate/envoy.yaml'));
    const [plain, manager] = static_resources.listeners.map(
      (listener: { filter_chains: [{ filters: [{ typed_config: object }] }] }) =>
        listener.filter_chains[0].filters[0].typed_config,
    );
    expect(plain.route_config.virtual_hosts[0].routes[0].redirect).toEqual({ https_redirect: true });
    expect(manager.use_remote_address).toBe(true);
    expect(manager.internal_address_config.cidr_ranges).toEqual([{ address_prefix: '127.0.0.1', prefix_len: 32 }]);
    const [cleanse, authorize, router] = manager.http_filters.map(
      (filter: { typed_config: object }) => filter.typed_config,
    );
    const script: string = cleanse.default_source_code.inline_string;
    expect(script).toContain('name:find("^remote")');
    expect(script).toContain('headers:replace("connection", "upgrade")');
    expect(manager.upgrade_configs).toEqual([{ upgrade_type: 'websocket' }]);
    expect(router['@type']).toContain('Router');
    expect(authorize.failure_mode_allow).toBe(false);
    const { path_prefix, server_uri, authorization_request, authorization_response } = authorize.http_service;
    expect(authorization_request.headers_to_add).toContainEqual({ key: 'sec-latchkey-check', value: 'envoy' });
    const removed: string[] = manager.route_config.request_headers_to_remove;
    expect(removed.sort()).toEqual(
      wordsOfOtherProxies.concat('x-forwarded-host', 'x-forwarded-method', 'x-forwarded-uri').sort(),
    );
    const passedOn = authorize.allowed_headers.patterns.map(({ exact }: { exact: string }) => exact);
    expect(passedOn).toEqual(['cookie', 'accept', 'sec-fetch-mode', 'sec-fetch-dest', 'x-requested-with']);
    expect([path_prefix, server_uri.timeout]).toEqual(['/gate/envoy', '5s']);
    const taken = authorization_response.allowed_upstream_headers.patterns.map(({ exact }: { exact: string }) => exact);
    expect(taken.sort()).toEqual(sentWithEveryYes);
    expect(manager.common_http_protocol_options.headers_with_underscores_action).toBe('DROP_HEADER');
    // Only Latchkey's own pages and the login site are open.
    const hosts: {
      name: string;
      routes: {
        match: { prefix?: string; safe_regex?: { regex: string } };
        typed_per_filter_config?: object;
        route?: { cluster: string };
      }[];
    }[] = manager.route_config.virtual_hosts;
    // Health is hidden from visitors.
    const [hidden] = hosts[0]?.routes.flatMap(({ match }) => match.safe_regex?.regex ?? []) ?? [];
    const health = regExpOf(`^(?:${hidden})$`);
    for (const path of ['/livez', '/READYZ', '/readyz/']) expect(path).toMatch(health);
    for (const path of ['/', '/login', '/livez/x']) expect(path).not.toMatch(health);
    const open = hosts.flatMap(({ name, routes }) =>
      routes
        .filter((route) => route.typed_per_filter_config)
        .map(({ match, route }) => [name, match.prefix, route?.cluster]),
    );
    expect(open).toEqual([
      ['wiki', '/.latchkey/', 'latchkey'],
      ['reports', '/.latchkey/', 'latchkey'],
    ]);
  });

  test("Traefik's guards every site, and takes over all that the gate says", () => {
    const { http } = parse(read('deploy/gate/traefik/latchkey.yml'));
    const { address, trustForwardHeader, authResponseHeaders, authResponseHeadersRegex } =
      http.middlewares.latchkey.forwardAuth;
    expect([address, trustForwardHeader]).toEqual(['http://127.0.0.1:3000/gate/forward', false]);
    expect(authResponseHeaders.map((name: string) => name.toLowerCase()).sort()).toEqual(sentWithEveryYes);
    for (const name of ['Remote-Email', 'Remote_email', 'Remote.user']) {
      expect(name).toMatch(regExpOf(authResponseHeadersRegex));
    }
    const { authRequestHeaders } = http.middlewares.latchkey.forwardAuth;
    expect(authRequestHeaders).toEqual(['Cookie', 'Accept', 'Sec-Fetch-Mode', 'Sec-Fetch-Dest', 'X-Requested-With']);
    const routers: [string, { rule: string; middlewares?: string[]; service: string }][] = Object.entries(http.routers);
    // Of upgrades, only one to a WebSocket is passed on.
    const guarded = routers.filter(([, { middlewares = [] }]) => middlewares.includes('latchkey'));
    for (const [, { rule, middlewares = [] }] of guarded) {
      const isForSockets = rule.includes('HeaderRegexp(`Upgrade`, `(?i)^websocket$`)');
      const headers = isForSockets ? { Upgrade: 'websocket', Connection: 'Upgrade' } : { Upgrade: '', Connection: '' };
      expect(http.middlewares[middlewares[0] ?? ''].headers.customRequestHeaders).toEqual(headers);
    }
    expect(guarded.map(([, { service }]) => service)).toEqual(['wiki', 'wiki', 'reports', 'reports']);
    const open = routers.filter(([, { middlewares = [] }]) => !middlewares.includes('latchkey'));
    expect(open.map(([, { service }]) => service)).toEqual(['latchkey', 'latchkey']);
    // Health is hidden from visitors, and ids of requests are Latchkey's own.
    expect(open.map(([, { middlewares }]) => middlewares)).toEqual([
      ['nothing-forged', 'no-health'],
      ['nothing-forged'],
    ]);
    // An empty value removes a header.
    const removed: [string, string][] = Object.entries(http.middlewares['nothing-forged'].headers.customRequestHeaders);
    expect(removed.map(([name, value]) => name.toLowerCase() + value).sort()).toEqual(
      wordsOfOtherProxies.concat('x-request-id', 'connection').sort(),
    );
    const { regex, replacement } = http.middlewares['no-health'].replacePathRegex;
    expect(replacement).toBe('/no-health');
    for (const path of ['/livez', '/READYZ', '/readyz/']) expect(path).toMatch(regExpOf(regex));
    for (const path of ['/', '/login', '/livez/x']) expect(path).not.toMatch(regExpOf(regex));
  });
});

/** The expression of a proxy, whose flags are within it. */
function regExpOf(expression: string): RegExp {
  return new RegExp(expression.replace('(?i)', ''), expression.includes('(?i)') ? 'i' : '');
}

test('what a check costs is documented as it was measured', () => {
  const rows = rowsBelow('docs/gate.md', 'what | CPU of Node, µs | CPU of nginx, µs | p50 ms | p99 ms');
  expect(rows).toHaveLength(5);
  for (const [name = '', ...figures] of rows) {
    const [, p50, p99, node, nginx] = measured('gate', name)[0] ?? [];
    expect(figures, name).toEqual([node, nginx, p50, p99]);
  }
  const words = {
    'signed-in page': 'that of a signed-in page',
    'bare node:http with a GET': 'that of the bare server',
  };
  for (const [name, compared] of Object.entries(words)) {
    const ratio = measured('gate', name).at(-1)?.[0]?.split(',')[0];
    expect(read('docs/gate.md').replaceAll('\n', ' ')).toContain(`${ratio} times ${compared}`);
  }
});
