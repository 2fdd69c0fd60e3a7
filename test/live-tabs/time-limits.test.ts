import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { read } from '../support/documents.ts';

test.each([
  'deploy/traefik/traefik.yml',
  'deploy/gate/traefik/traefik.yml', // feature: gate
])('%s sets no limit to the time for a whole response, which a stream would reach', (file) => {
  const { transport } = parse(read(file)).entryPoints.https;
  expect(transport?.respondingTimeouts?.writeTimeout ?? '0s').toBe('0s');
});

// feature: gate
test('the shipped file for Envoy exempts streams from its limit of 15 s for a response', () => {
  const { listeners } = parse(read('deploy/gate/envoy.yaml')).static_resources;
  const https = listeners.find(({ name }: { name: string }) => name === 'https');
  const { virtual_hosts: hosts } = https.filter_chains[0].filters[0].typed_config.route_config;
  const login = hosts.find(({ name }: { name: string }) => name === 'login');
  const first = login.routes.find(
    ({ match }: { match: { path?: string; prefix?: string } }) =>
      match.path === '/session-events' || '/session-events'.startsWith(match.prefix ?? 'none'),
  );
  expect(first?.route).toEqual({ cluster: 'latchkey', timeout: '0s' });
});
// end: gate
