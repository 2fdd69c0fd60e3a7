import type { IncomingHttpHeaders } from 'node:http';
import http2 from 'node:http2';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { afterEach, describe, expect, test } from 'vitest';
import { Assertions } from '../../src/features/gate/assertions.ts';
import { SiteSessions } from '../../src/features/gate/site-sessions.ts';
import { openSites } from '../../src/features/gate/sites.ts';
import { testSecret } from '../support/app.ts';
import { forged as forgedForAll } from '../support/forged-headers.ts';
import { freePort } from '../support/process.ts';
import { askPlain, askProxy, type RunningProxy } from '../support/proxies.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { startDemoApp } from './demo-app.ts';
import { navigation, script, startGateApp } from './gate-app.ts';
import { hosts, origins, ProxiedBrowser, startGateProxy } from './proxies.ts';

const { login, wiki, reports } = origins;
const redis = await startRedisServer('secret');
const app = await startGateApp({
  redisAddress: { url: redis.url },
  env: { GATE_SITES: `${wiki}, ${reports} = ann@example.com` },
});
const [wikiApp, reportsApp] = await Promise.all([startDemoApp(), startDemoApp()]);
const upstreams = { latchkey: Number(new URL(app.url).port), wiki: wikiApp.port, reports: reportsApp.port };
const proxies = await Promise.all(
  (['nginx', 'caddy', 'haproxy'] as const).map(async (name) => [name, await startGateProxy(name, upstreams)] as const),
);

const forgedHeaders = {
  ...forgedForAll,
  'X-Forwarded-Uri': '/forged',
  'X-Forwarded-Method': 'FORGED',
  'X-Original-URL': 'https://forged.example/',
  'X-Original-Method': 'FORGED',
  'Sec-Latchkey-Check': 'forged',
};

/** What the gate was asked, and over how many connections. */
const asked: { url: string; length: string | undefined; isChunked: boolean; headers: IncomingHttpHeaders }[] = [];
const connections = new Set<Socket>();
app.server.on('request', ({ url = '', headers, socket }) => {
  if (/^\/gate\/(?:nginx|forward)/.test(url)) connections.add(socket);
  const isChunked = headers['transfer-encoding'] !== undefined;
  asked.push({ url, length: headers['content-length'], isChunked, headers });
});
afterEach(() => {
  asked.length = 0;
  connections.clear();
  wikiApp.seen.length = 0;
  reportsApp.seen.length = 0;
});

async function entered(proxy: RunningProxy, email = 'ann@example.com'): Promise<ProxiedBrowser> {
  const browser = new ProxiedBrowser(proxy);
  expect(await browser.openAs(email, `${wiki}/`)).toMatchObject({ url: `${wiki}/`, status: 200 });
  wikiApp.seen.length = 0;
  asked.length = 0;
  return browser;
}

const cookieOf = (browser: ProxiedBrowser, origin: string) =>
  `__Host-latchkey=${browser.cookies(origin).get('__Host-latchkey')}`;

const addressOf = ({ port, certificate }: RunningProxy) => ({ host: '127.0.0.1', port, ca: certificate.cert });

const socketHeaders = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

/** What a header says, each time it was sent. */
function valuesOf(rawHeaders: string[], header: string): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === header);
}

function connectHttp2(proxy: RunningProxy): http2.ClientHttp2Session {
  const options = { ...addressOf(proxy), servername: hosts.wiki, ALPNProtocols: ['h2'] };
  return http2.connect(wiki, { createConnection: () => tls.connect(options) });
}

function statusOf(stream: http2.ClientHttp2Stream): Promise<number | undefined> {
  return new Promise((done, fail) => {
    stream.once('response', (headers) => done(headers[':status'])).once('error', fail);
    stream.resume();
  });
}

/** Whatever comes back for bytes that no client would send. */
function sendRaw(proxy: RunningProxy, servername: string, request: string): Promise<string> {
  return new Promise((done, fail) => {
    const socket = tls.connect({ ...addressOf(proxy), servername }, () => socket.write(request));
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.once('error', fail).once('close', () => done(received));
  });
}

/** What comes back first, if anything does; then the connection is closed. */
function beginRaw(proxy: RunningProxy, request: string): Promise<string> {
  return new Promise((done, fail) => {
    const socket = tls.connect({ ...addressOf(proxy), servername: hosts.wiki }, () => socket.write(request));
    socket.once('data', (chunk) => {
      socket.destroy();
      done(String(chunk));
    });
    socket.once('error', fail).once('close', () => done(''));
  });
}

describe.each(proxies)('%s with the shipped files', (name, proxy) => {
  test('leads to the login and back to a deep link, and on to a second site', async () => {
    const browser = new ProxiedBrowser(proxy);
    const path = '/a%2Fb/?q=%D0%BF&x=1%2B2&y=50%&z={a|b}';
    const deep = wiki + path;
    expect(await browser.openAs('ann@example.com', deep)).toMatchObject({ url: deep, status: 200 });
    expect(wikiApp.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([`GET ${path}`]);
    const second = await browser.open(`${reports}/q3`);
    expect(second).toMatchObject({ url: `${reports}/q3`, status: 200 });
    expect(second.trail.map((url) => new URL(url).pathname)).not.toContain('/login');
  });

  test('tells the app who is visiting, in words and signed', async () => {
    const browser = await entered(proxy, 'jürgen@example.com');
    await browser.visit(`${wiki}/page`);
    const headers = wikiApp.seen.at(-1)?.headers ?? {};
    expect(Buffer.from(String(headers['remote-email']), 'latin1').toString()).toBe('jürgen@example.com');
    expect(headers['remote-user']).toBe(headers['remote-email']);
    const { text } = await browser.visit(`${login}/.well-known/jwks.json`);
    const { payload } = await jwtVerify(String(headers['remote-assertion']), createLocalJWKSet(JSON.parse(text)), {
      audience: wiki,
      issuer: login,
    });
    expect(payload.email).toBe('jürgen@example.com');
  });

  test('lets nobody else say who is visiting', async () => {
    const browser = await entered(proxy);
    const forged: Record<string, string> = {};
    for (const field of ['Email', 'User', 'Assertion', 'Name', 'Groups']) {
      for (const name of [`Remote-${field}`, `remote-${field}`, `Remote_${field}`, `REMOTE_${field.toUpperCase()}`]) {
        forged[name] = 'eve@example.com';
      }
      // Apps behind a gateway interface may find all of these as HTTP_REMOTE_…
      for (const mark of "!#$%&'*+.^`|~") forged[`Remote${mark}${field}`] = 'eve@example.com';
    }
    const misleading = {
      'X-Forwarded-Host': hosts.reports,
      'X-Forwarded-Uri': '/elsewhere',
      'X-Forwarded-Proto': 'http',
      'X-Forwarded-Method': 'POST',
      'X-Original-URL': `${reports}/`,
    };
    expect(await browser.visit(`${wiki}/page`, { ...forged, ...misleading })).toMatchObject({ status: 200 });
    const [{ rawHeaders } = { rawHeaders: [] }] = wikiApp.seen;
    expect(rawHeaders.filter((text) => text.includes('eve@'))).toEqual([]);
    const identity = rawHeaders.filter((_, index) => index % 2 === 0 && /^remote/i.test(rawHeaders[index] ?? ''));
    expect(identity.map((header) => header.toLowerCase()).sort()).toEqual([
      'remote-assertion',
      'remote-email',
      'remote-user',
    ]);
    // And a stranger gets in by none of them.
    const stranger = await askProxy(proxy, {
      host: hosts.wiki,
      path: '/',
      headers: { ...forged, ...misleading, ...script },
    });
    expect(stranger.status).toBe(401);
    expect(wikiApp.seen).toHaveLength(1);
  });

  test('keeps the cookies of the gate from the app, and no others', async () => {
    const browser = await entered(proxy);
    const gate = cookieOf(browser, wiki);
    const start = '__Host-latchkey-start=abc';
    const sent = [
      [gate, undefined],
      [`${gate}; ${start}`, undefined],
      [`a=1; ${gate}; b=2`, 'a=1; b=2'],
      [`${start}; a=1; ${gate}`, 'a=1'],
      [`a="x y"; ${start}; b=; ${gate}; c=3=3`, 'a="x y"; b=; c=3=3'],
      [`x__Host-latchkey=1; ${gate}; __Host-latchkeys=2`, 'x__Host-latchkey=1; __Host-latchkeys=2'],
    ] as const;
    for (const [cookies, left] of sent) {
      await browser.visit(`${wiki}/page`, { Cookie: cookies });
      expect(wikiApp.seen.at(-1)?.headers.cookie || undefined, cookies).toBe(left);
    }
    expect(wikiApp.seen).toHaveLength(sent.length);
  });

  test('answers 401 to what is no page load, and lets it through after the login', async () => {
    const clients = [
      { ...script },
      { Accept: 'text/event-stream', 'Sec-Fetch-Mode': 'cors' },
      {
        'Sec-Fetch-Mode': 'websocket',
        ...{ Connection: 'Upgrade', Upgrade: 'websocket' },
        ...{ 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' },
      },
    ];
    for (const headers of clients) {
      const answer = await askProxy(proxy, { host: hosts.wiki, path: '/data', headers });
      expect(answer).toMatchObject({ status: 401, text: 'Please login first.\n' });
      expect(answer.headers).not.toHaveProperty('location');
    }
    const frame = { ...navigation, 'Sec-Fetch-Dest': 'iframe' };
    const framed = await askProxy(proxy, { host: hosts.wiki, path: '/frame', headers: frame });
    expect(framed).toMatchObject({ status: 401, text: 'Please login first. To do so, reload the whole page.\n' });
    expect(framed.headers).not.toHaveProperty('location');
    expect(framed.headers['x-frame-options'] ?? 'SAMEORIGIN').toBe('SAMEORIGIN');
    expect(wikiApp.seen).toEqual([]);
    const browser = await entered(proxy);
    expect(await browser.visit(`${wiki}/data`, script)).toMatchObject({ status: 200, text: '{"fresh":true}' });
    const upgrade = `GET /socket HTTP/1.1\r\nHost: ${hosts.wiki}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${socketHeaders}Cookie: ${cookieOf(browser, wiki)}\r\n\r\n`;
    expect(await beginRaw(proxy, upgrade)).toMatch(/^HTTP\/1.1 101 [\s\S]*s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i);
  });

  test('turns a connection into nothing but a WebSocket, in which requests could reach the app unseen', async () => {
    const browser = await entered(proxy);
    const cookie = `Cookie: ${cookieOf(browser, wiki)}\r\n\r\n`;
    const upgrades = [
      ...[['h2c'], ['H2C'], ['TLS/1.0'], ['h2c, websocket'], ['websocket, h2c'], ['websocketh2c'], ['xwebsocket']],
      ...[
        ['h2c', 'websocket'],
        ['websocket', 'h2c'],
      ],
    ];
    for (const values of upgrades) {
      const upgrade = values.map((value) => `Upgrade: ${value}\r\n`).join('');
      const connection = `Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAoAAA\r\n${socketHeaders}`;
      await beginRaw(proxy, `GET /page HTTP/1.1\r\nHost: ${hosts.wiki}\r\n${upgrade}${connection}${cookie}`);
    }
    const sent = wikiApp.seen.flatMap(({ rawHeaders }) => valuesOf(rawHeaders, 'upgrade'));
    expect(sent.filter((value) => value !== 'websocket')).toEqual([]);
    expect(wikiApp.seen).toHaveLength(upgrades.length);
  });

  test('opens no tunnel', async () => {
    const browser = await entered(proxy);
    const headers = `Host: ${hosts.wiki}\r\nCookie: ${cookieOf(browser, wiki)}\r\n\r\n`;
    for (const target of ['/', `${hosts.wiki}:443`, `${hosts.wiki}:80`, hosts.wiki]) {
      expect(await beginRaw(proxy, `CONNECT ${target} HTTP/1.1\r\n${headers}`), target).not.toMatch(/^HTTP\/1.1 2/);
    }
    expect(wikiApp.seen).toEqual([]);
  });

  test('takes no header out of a request because the visitor names it in Connection', async () => {
    const browser = await entered(proxy);
    const named = 'Remote-Email, Remote-User, Remote-Assertion, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto';
    const socket = `Connection: Upgrade, ${named}\r\nUpgrade: websocket\r\n${socketHeaders}`;
    for (const lines of [`Connection: ${named}\r\n`, socket]) {
      const head = `GET /page HTTP/1.1\r\nHost: ${hosts.wiki}\r\n${lines}`;
      await beginRaw(proxy, `${head}Cookie: ${cookieOf(browser, wiki)}\r\n\r\n`);
    }
    expect(wikiApp.seen).toHaveLength(2);
    for (const { headers, rawHeaders } of wikiApp.seen) {
      expect(headers).toMatchObject({ 'remote-email': 'ann@example.com', 'remote-user': 'ann@example.com' });
      expect(headers).toMatchObject({ 'remote-assertion': expect.stringMatching(/./), 'x-forwarded-proto': 'https' });
      expect(valuesOf(rawHeaders, 'connection').join()).not.toMatch(/remote|forwarded/i);
    }
    await browser.visit(`${login}/login`, { Connection: named });
    expect(asked.at(-1)?.headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'https' });
    expect(asked.at(-1)?.headers).toMatchObject({ 'x-forwarded-host': hosts.login });
  });

  test('sends no body to the gate, and all of it to the app', async () => {
    const browser = await entered(proxy);
    const headers = {
      Cookie: cookieOf(browser, wiki),
      'Content-Type': 'application/octet-stream',
      'Content-Encoding': 'gzip',
    };
    const body = Buffer.alloc(10 * 1024 * 1024, 'x');
    for (const framing of [{ 'Content-Length': body.length }, { 'Transfer-Encoding': 'chunked' }]) {
      const path = '/upload';
      expect(
        await askProxy(proxy, { method: 'POST', host: hosts.wiki, path, headers: { ...headers, ...framing }, body }),
      ).toMatchObject({ status: 200 });
    }
    expect(wikiApp.seen.map(({ method, bytes }) => [method, bytes])).toEqual([
      ['POST', body.length],
      ['POST', body.length],
    ]);
    expect(asked).toHaveLength(2);
    for (const { length, isChunked } of asked) expect([length ?? '0', isChunked]).toEqual(['0', false]);
  });

  test('asks no stranger for a body, and a visitor for all of it', async () => {
    const browser = await entered(proxy);
    const statusesFor = async (headers: string) => {
      const head = `POST /upload HTTP/1.1\r\nHost: ${hosts.wiki}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n`;
      const answer = await sendRaw(proxy, hosts.wiki, `${head}${headers}Connection: close\r\n\r\nabcde`);
      // Caddy asks by itself, and passes on that the app asks.
      return [...new Set([...answer.matchAll(/^HTTP\/1.1 (\d+)/gm)].map(([, status]) => status))];
    };
    // nginx asks by itself, and reads what it refuses to its end.
    expect(await statusesFor('')).toEqual(name === 'nginx' ? ['100', '401'] : ['401']);
    expect(await statusesFor(`Cookie: ${cookieOf(browser, wiki)}\r\n`)).toEqual(['100', '200']);
    expect(wikiApp.seen).toMatchObject([{ bytes: 5 }]);
  });

  test('passes on headers that are longer than Latchkey takes, since they are meant for the app', async () => {
    const browser = await entered(proxy);
    const long = {
      Accept: `text/html, ${'application/x;q=0.1, '.repeat(100)}*/*`,
      'Accept-Language': `en${', en;q=0.1'.repeat(200)}`,
      'Cache-Control': `no-cache${', x=1'.repeat(400)}`,
      'Content-Type': `text/plain; x=${'x'.repeat(2000)}`,
      'If-None-Match': Array.from({ length: 40 }, (_, index) => `"${'e'.repeat(32)}${index}"`).join(', '),
      Range: `bytes=${Array.from({ length: 150 }, (_, index) => `${index}000-${index}999`).join()}`,
    };
    expect(await browser.visit(`${wiki}/page`, long)).toMatchObject({ status: 200 });
    const [passed] = wikiApp.seen;
    for (const [name, value] of Object.entries(long)) expect(passed?.headers[name.toLowerCase()], name).toBe(value);
    // And a stranger is led to the login.
    expect(await new ProxiedBrowser(proxy).visit(`${wiki}/page`, long)).toMatchObject({ status: 303 });
  });

  test('asks over connections that it keeps', async () => {
    const browser = await entered(proxy);
    connections.clear();
    for (let count = 0; count < 20; count += 1) await browser.visit(`${wiki}/${count}`);
    expect(asked).toHaveLength(20);
    expect(connections.size).toBeLessThanOrEqual(2);
  });

  test('works over HTTP/2, where a browser may split its cookies', async () => {
    const browser = await entered(proxy);
    const client = connectHttp2(proxy);
    const stream = client.request({
      ':path': '/over-h2',
      cookie: ['a=1', cookieOf(browser, wiki), 'b=2'],
      ...navigation,
    });
    expect(await statusOf(stream)).toBe(200);
    client.close();
    expect(wikiApp.seen).toMatchObject([{ url: '/over-h2', headers: { cookie: 'a=1; b=2' } }]);
  });

  test('lets no stranger reach an app by a path that could be taken for another', async () => {
    const paths = [
      ...[
        '/.latchkey/../secret',
        '/.latchkey/%2e%2e/secret',
        '/.latchkey/..%2fsecret',
        '/.latchkey/..;/secret',
        '//.latchkey/../secret',
      ],
      ...[
        '/.latchkey/start/../../secret',
        '/.latchkey',
        '/.latchkeys/secret',
        '/.LATCHKEY/../secret',
        '/x/../.latchkey/x',
        '/%2elatchkey/../secret',
      ],
      ...[
        '/.latchkey/check',
        '/.latchkey/check/../../secret',
        '/.latchkey/refused',
        '/.latchkey\\..\\secret',
        '/.latchkey/%00/../secret',
        '/.latchkey/./../secret',
      ],
    ];
    for (const path of paths) {
      const request = `GET ${path} HTTP/1.1\r\nHost: ${hosts.wiki}\r\nConnection: close\r\n\r\n`;
      expect(await sendRaw(proxy, hosts.wiki, request), path).toMatch(/^HTTP\/1.1 (?:3|4)\d\d /);
    }
    expect(wikiApp.seen).toEqual([]);
  });

  test('answers no path of an app with anything of Latchkey, however it is written', async () => {
    const browser = await entered(proxy);
    const forged = [
      'Sec-Latchkey-Check: envoy',
      `X-Original-URL: ${wiki}/`,
      'X-Original-Method: GET',
      'X-Forwarded-Uri: /',
      'X-Forwarded-Method: GET',
    ];
    const sent = [`Cookie: ${cookieOf(browser, wiki)}; appsession=of-the-app`, ...forged, 'Connection: close', '', ''];
    const dots = ['..', '%2e%2e', '.%2e', '%2E%2E', '%252e%252e'];
    const slashes = ['/', '//', '%2f', '%2F', '%5c', '\\', ';/', '/./', '%252f'];
    const climbing = dots.flatMap((dot) => slashes.map((slash) => `${dot}${slash}`));
    const pages = ['x', 'start', 'logout', 'refused', 'check'];
    const paths = [
      ...['/gate/envoy/', '/gate/nginx/', '/gate/forward/'].flatMap((check) =>
        climbing.map((up) => `${check}${up}${up}.latchkey/x`),
      ),
      ...pages.map((page) => `/gate/envoy/..%2f..%2f.latchkey/${page}`),
      ...['/admin/..%2f.latchkey/x', '/login/..%2f.latchkey/x', '/style.css/..%2f.latchkey/x', '/..%2f.latchkey/x'],
      ...['//.latchkey/x', '/./.latchkey/x', '/%2elatchkey/x', '/.latchke%79/x', '/%2f.latchkey/x', '/.LATCHKEY/x'],
      ...['/gate/nginx', '/gate/forward', '/gate/envoy', '/gate/envoy/', '/gate/envoy/page', '/gate/nginx?x'],
      ...['/gate/envoy/../../.latchkey/x', '/gate//envoy/..%2f..%2f.latchkey/x', '/gate/envoy/#/../../.latchkey/x'],
      ...['/gate/envoy/..%2f..%2f.latchkey/x', '/admin/..%2f.latchkey/x'].map((path) => wiki + path),
    ];
    asked.length = 0;
    await sendRaw(proxy, hosts.wiki, [`GET / HTTP/1.1`, `Host: ${hosts.wiki}`, ...sent].join('\r\n'));
    // The proxy's own check shows that requests of this kind arrive.
    expect(asked.length).toBeGreaterThan(0);
    for (const path of paths) {
      const head = [`GET ${path} HTTP/1.1`, `Host: ${hosts.wiki}`, ...sent].join('\r\n');
      const answer = await sendRaw(proxy, hosts.wiki, head);
      expect(answer, path).not.toMatch(/remote-email|remote-assertion|appsession|password|<form[^>]*login/i);
      expect(answer, path).not.toMatch(/strict-transport-security/i);
    }
    // What did reach Latchkey were the proxy's own checks.
    expect(asked.map(({ url }) => url).filter((url) => !/^\/gate\/(?:nginx|forward)(?:\?|$)/.test(url))).toEqual([]);
  });

  test('shows nothing of the login site on the host of a site, nor binds its subdomains to https', async () => {
    const requests: [string, string, object][] = [
      ['GET', '/.latchkey/nope', navigation],
      ['GET', '/.latchkey/', navigation],
      ['GET', '/.latchkey/..%2f.latchkey/x', navigation],
      ['GET', '/.latchkey/start/..%2f..%2flogin', navigation],
      ['GET', '/.latchkey/start?to=/', navigation],
      ['POST', '/.latchkey/start', { 'Sec-Fetch-Site': 'same-origin' }],
      ['POST', '/.latchkey/logout', { 'Sec-Fetch-Site': 'cross-site' }],
      ['GET', '/.latchkey/start', Object.fromEntries(Array.from({ length: 90 }, (_, number) => [`X-${number}`, '1']))],
      ['GET', '/.latchkey/start', { Accept: 'x'.repeat(2000) }],
    ];
    for (const [method, path, headers] of requests) {
      const answer = await askProxy(proxy, { method, host: hosts.wiki, path, headers: { ...headers } });
      expect(answer.headers, path).not.toHaveProperty('strict-transport-security');
      expect(answer.text, path).not.toMatch(/<form|style\.css|E-mail address/);
    }
    const { headers } = await askProxy(proxy, { host: hosts.login, path: '/login' });
    expect(headers).toHaveProperty('strict-transport-security');
  });

  test('redirects nobody from /.latchkey, which is no page of the gate', async () => {
    const browser = await entered(proxy);
    const { status, location } = await browser.visit(`${wiki}/.latchkey?x=1`);
    expect(location).toBeUndefined();
    // nginx does not pass it on to the app.
    expect(status).toBe(name === 'nginx' ? 404 : 200);
  });

  test('lets nobody into a site by naming another in the same request', async () => {
    const browser = await entered(proxy, 'bob@example.com');
    const cookie = `Cookie: ${cookieOf(browser, wiki)}\r\nConnection: close\r\n\r\n`;
    const requests = [
      `GET ${reports}/secret HTTP/1.1\r\nHost: ${hosts.wiki}\r\n`,
      `GET http://${hosts.reports}/secret HTTP/1.1\r\nHost: ${hosts.wiki}\r\n`,
      `GET /secret HTTP/1.1\r\nHost: ${hosts.reports}\r\nX-Forwarded-Host: ${hosts.wiki}\r\n`,
      `GET /secret HTTP/1.1\r\nHost: ${hosts.reports.toUpperCase()}:443\r\n`,
      `GET /secret HTTP/1.1\r\nHost: ${hosts.wiki}\r\nHost: ${hosts.reports}\r\n`,
      `GET /secret HTTP/1.1\r\nHost: ${hosts.reports}\r\nHost: ${hosts.wiki}\r\n`,
      `GET /secret HTTP/1.1\r\nHost: ${hosts.wiki}@${hosts.reports}\r\n`,
    ];
    for (const servername of [hosts.wiki, hosts.reports]) {
      for (const request of requests) await sendRaw(proxy, servername, request + cookie);
    }
    expect(reportsApp.seen).toEqual([]);
  });

  test('tells Latchkey how and from where a visitor came, whatever the visitor says', async () => {
    for (const [host, path] of [
      [hosts.login, '/login'],
      [hosts.wiki, '/.latchkey/logout'],
    ] as const) {
      await askProxy(proxy, { host, path, headers: { ...forgedHeaders, ...navigation } });
      const { headers = {} } = asked.at(-1) ?? {};
      expect(headers, host).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'https' });
      expect(headers, host).toMatchObject({ host, 'x-forwarded-host': host });
      expect(headers['x-request-id'], host).toMatch(/^[\da-f-]{32,36}$/);
      expect(Object.entries(headers).filter(([, value]) => /forged/i.test(String(value)))).toEqual([]);
    }
  });

  test('leads http to https', async () => {
    const { status, location } = await askPlain(proxy, { host: hosts.wiki, path: '/page?x=1' });
    expect([301, 308]).toContain(status);
    expect(location).toBe(`${wiki}/page?x=1`);
  });

  test.each(['/livez', '/readyz', '/livez/', '/readyz?x=1', '/READYZ', '//livez', '/%6Civez', '/x/../livez'])(
    'does not show %s to visitors',
    async (path) => {
      expect((await askProxy(proxy, { host: hosts.login, path })).text).not.toMatch(/^(ok|closing)$/m);
    },
  );

  test('keeps the checks of the gate from visitors', async () => {
    const browser = await entered(proxy);
    for (const path of ['/gate/nginx', '/gate/forward', '/gate/forward?x', '/gate/envoy/', '/gate/envoy/page']) {
      const headers = { Cookie: cookieOf(browser, wiki), 'X-Original-URL': `${wiki}/`, 'X-Forwarded-Host': hosts.wiki };
      expect(await askProxy(proxy, { host: hosts.login, path, headers })).toMatchObject({ status: 404 });
    }
  });

  test('shows somebody who may not enter who they are', async () => {
    const browser = await entered(proxy, 'bob@example.com');
    const site = openSites([{ origin: reports, visitors: [] }]).get(reports);
    if (!site) throw new Error('there is no site');
    const sessionId =
      /^s:([\w-]+)/.exec(decodeURIComponent(browser.cookies(login).get('__Host-session') ?? ''))?.[1] ?? '';
    // As if the list had been another when it was opened.
    const cookie = new SiteSessions([testSecret], new Assertions([testSecret], login)).create(site, sessionId);
    const answer = await browser.visit(`${reports}/`, { ...navigation, Cookie: `__Host-latchkey=${cookie}` });
    expect(answer.status).toBe(403);
    expect(answer.text).toContain('You are signed in as bob@example.com');
    expect(answer.text).toContain(`href="${login}/gate?site=`);
    expect(reportsApp.seen).toEqual([]);
  });
});

test.each(['nginx', 'caddy', 'haproxy'] as const)('%s does not take an app that is away for Latchkey', async (name) => {
  const proxy = await startGateProxy(name, { ...upstreams, reports: await freePort() });
  const browser = await entered(proxy);
  const { status, text } = await browser.open(`${reports}/`);
  expect([502, 503]).toContain(status);
  expect(text).not.toContain('That did not work just now');
});

// HAProxy itself takes no more than 16 kB.
test.each(['nginx', 'caddy'] as const)('%s lets in and out where cookies exceed what Latchkey takes', async (name) => {
  const proxy = await startGateProxy(name, upstreams);
  const browser = await entered(proxy);
  const others = Array.from({ length: 20 }, (_, index) => `c${index}=${'x'.repeat(1000)}`);
  const client = connectHttp2(proxy);
  const ask = (path: string, ...cookies: string[]) =>
    statusOf(client.request({ ':path': path, cookie: [...others, ...cookies], ...navigation }));
  expect(await ask('/page', cookieOf(browser, wiki), '__Host-latchkey-start=abc')).toBe(200);
  expect(wikiApp.seen.map(({ headers }) => headers.cookie)).toEqual([others.join('; ')]);
  expect(asked.at(-1)?.headers.cookie).toBe(cookieOf(browser, wiki));
  expect(await ask('/page')).toBe(303);
  expect(await ask('/.latchkey/start?to=/page')).toBe(303);
  expect(await ask('/.latchkey/logout', cookieOf(browser, wiki))).toBe(303);
  expect(asked.at(-1)?.headers.cookie).toContain(cookieOf(browser, wiki));
  client.close();
});

// Of these proxies, only HAProxy takes a WebSocket over HTTP/2 (RFC 8441), where a browser has a connection already.
test('haproxy turns a stream of HTTP/2 into nothing but a WebSocket', async () => {
  const proxy = await startGateProxy('haproxy', upstreams);
  const browser = await entered(proxy);
  for (const protocol of ['websocket', 'h2c']) {
    const client = connectHttp2(proxy);
    await new Promise((done) => client.once('remoteSettings', done));
    const headers = { ':path': '/socket', 'sec-websocket-version': '13', cookie: cookieOf(browser, wiki) };
    const stream = client.request({ ':method': 'CONNECT', ':protocol': protocol, ...headers });
    expect(await statusOf(stream), protocol).toBe(200);
    client.destroy();
  }
  expect(wikiApp.seen.map(({ method, headers }) => [method, headers.upgrade])).toEqual([
    ['GET', 'websocket'],
    ['GET', undefined],
  ]);
});

describe('without Redis', () => {
  test.each(proxies)('%s answers 503', async (_name, proxy) => {
    const browser = await entered(proxy);
    await redis.kill();
    try {
      for (const headers of [navigation, script]) {
        const answer = await browser.visit(`${wiki}/page`, headers);
        expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '5' }, location: undefined });
        expect(answer.text).toMatch(/^That did not work just now\./);
      }
      expect(wikiApp.seen).toEqual([]);
    } finally {
      await redis.start();
      await expect.poll(async () => (await fetch(`${app.url}/readyz`)).status, { timeout: 5000 }).toBe(200);
    }
  });
});

test('without Latchkey, nobody passes any of them, and each says when to try again', async () => {
  const browsers = await Promise.all(proxies.map(([, proxy]) => entered(proxy)));
  await app.close();
  const urls = [`${wiki}/page`, `${wiki}/.latchkey/start`, `${login}/login`];
  const answers = await Promise.all(browsers.flatMap((browser) => urls.map((url) => browser.visit(url))));
  expect(answers).toHaveLength(9);
  for (const { status, headers, text } of answers) {
    expect([status, text.trim()]).toEqual([503, 'That did not work just now. Please try again in a few seconds.']);
    expect(headers).toMatchObject({ 'retry-after': '5', 'cache-control': 'no-store' });
    expect(headers['content-type']).toMatch(/^text\/plain/);
  }
  expect(wikiApp.seen).toEqual([]);
});
