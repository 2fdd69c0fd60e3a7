import { spawnSync } from 'node:child_process';
import type http from 'node:http';
import http2 from 'node:http2';
import { Agent } from 'node:https';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { read } from '../support/documents.ts';
import { forged } from '../support/forged-headers.ts';
import { askPlain, askProxy, type RunningProxy } from '../support/proxies.ts';
import { host, proxyNames, settings, startShippedProxy } from './shipped.ts';

const app = await startApp({ env: settings });
const port = Number(new URL(app.url).port);
const proxies = await Promise.all(
  proxyNames.map(async (name) => [name, await startShippedProxy(name, [port, port])] as const),
);

/** What has reached the app, except health checks. */
const seen: http.IncomingMessage[] = [];
app.server.on('request', (req: http.IncomingMessage) => {
  if (!/^\/(livez|readyz)/.test(req.url ?? '')) seen.push(req);
});
afterEach(() => {
  seen.length = 0;
});

const open = (proxy: RunningProxy, path: string, headers: http.OutgoingHttpHeaders = {}) =>
  askProxy(proxy, { host, path, headers });

describe.each(proxies)('%s with the shipped files', (name, proxy) => {
  test('tells Latchkey how and from where a visitor came, whatever the visitor says', async () => {
    expect(await open(proxy, '/login', forged)).toMatchObject({ status: 200 });
    const { headers = {} } = seen[0] ?? {};
    expect(headers).toMatchObject({ host, 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'https' });
    expect(headers).toMatchObject({ 'x-forwarded-host': host });
    expect(headers['x-request-id']).toMatch(/^[\da-f-]{32,36}$/);
    expect(Object.entries(headers).filter(([, value]) => String(value).includes('forged'))).toEqual([]);
  });

  test('speaks HTTP/2 to visitors, and leads http to https', async () => {
    expect(await http2Status(proxy, '/login')).toBe(200);
    const path = '/login?next=%2Fadmin';
    const { status, location } = await askPlain(proxy, { host, path });
    expect([301, 308]).toContain(status);
    expect(location).toBe(`https://${host}${path}`);
  });

  test('keeps its connections to Latchkey', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: proxy.certificate.cert });
    for (let count = 1; count <= 20; count += 1) await askProxy(proxy, { host, path: '/login', agent });
    agent.destroy();
    const connections = new Set<Socket>(seen.map(({ socket }) => socket));
    expect(seen).toHaveLength(20);
    // At least one for each of two servers.
    expect(connections.size).toBeLessThanOrEqual(4);
  });

  test.each(['/livez', '/readyz', '/livez/', '/readyz?x=1', '/READYZ', '//livez', '/%6Civez', '/x/../livez'])(
    'does not show %s to visitors',
    async (path) => {
      expect((await open(proxy, path)).text).not.toMatch(/^(ok|closing)$/m);
    },
  );

  test('answers for no other host', async () => {
    expect(
      await askProxy(proxy, { host: 'other.example.com', path: '/login' }).catch(() => undefined),
    ).not.toMatchObject({
      status: 200,
    });
    expect(seen).toEqual([]);
  });

  test('lets through what Latchkey takes, and lets Latchkey itself refuse what is a little larger', async () => {
    const post = (bytes: number) => {
      const headers = { 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'text/html' };
      const body = `email=ann%40example.com&x=${'x'.repeat(bytes)}`;
      return askProxy(proxy, { host, method: 'POST', path: '/login', headers, body });
    };
    expect((await post(15_000)).status).toBe(303);
    const refused = await post(20_000);
    expect([refused.status, refused.text]).toEqual([413, expect.stringContaining('more than this page accepts')]);
    expect((await post(5_000_000)).status).toBe(413);

    expect((await open(proxy, '/login', { Cookie: `x=${'x'.repeat(7000)}` })).status).toBe(200);
    const tooLong = Object.fromEntries(Array.from({ length: 5 }, (_, number) => [`X-${number}`, 'x'.repeat(7000)]));
    expect([400, 431]).toContain(await open(proxy, '/login', tooLong).then(({ status }) => status));
  });

  describe('against BREACH', () => {
    const compressed = (path: string, headers: http.OutgoingHttpHeaders) =>
      open(proxy, path, { 'Accept-Encoding': 'gzip, br, zstd', ...headers }).then((answer) => ({
        status: answer.status,
        isCompressed: answer.headers['content-encoding'] === 'gzip',
      }));

    test.each(['__Host-session=s%3Ax.x', 'other=1', 'a=1; b=2'])(
      'compresses no page for a browser with %s',
      async (Cookie) => {
        for (const [path, status] of [
          ['/', 200],
          ['/login?next=%2Fnotes', 200],
          ['/admin', 401],
          ['/nowhere', 404],
        ] as const) {
          expect(await compressed(path, { Cookie }), path).toEqual({ status, isCompressed: false });
        }
      },
    );

    test('compresses pages for a browser without a cookie, and files for all', async () => {
      expect(await compressed('/', {})).toEqual({ status: 200, isCompressed: true });
      for (const path of ['/style.css', '/style.css?v=other', '/local-times.js']) {
        const Cookie = '__Host-session=s%3Ax.x';
        expect(await compressed(path, { Cookie }), path).toEqual({ status: 200, isCompressed: true });
      }
      const { headers } = await open(proxy, '/style.css', { 'Accept-Encoding': 'gzip' });
      expect(headers.vary).toMatch(/accept-encoding/i);
      expect((await open(proxy, '/style.css')).headers['content-encoding']).toBeUndefined();
    });

    test('tells Latchkey of no cookie where it compresses, even if there is no such file', async () => {
      const Cookie = '__Host-session=s%3Ax.x';
      expect(await compressed('/nowhere.css', { Cookie })).toMatchObject({ status: 404 });
      expect(seen.map(({ headers }) => headers.cookie)).toEqual([undefined]);
    });
  });

  test('passes on the security headers, and what a browser needs to keep a session', async () => {
    const { headers } = await open(proxy, '/login');
    expect(headers['strict-transport-security']).toContain('max-age=');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    const headersToSend = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const body = 'email=ann%40example.com';
    const signedIn = await askProxy(proxy, { host, method: 'POST', path: '/login', headers: headersToSend, body });
    const [cookie = ''] = [signedIn.headers['set-cookie'] ?? []].flat();
    expect(cookie).toMatch(/^__Host-session=.*; Secure/);
    const Cookie = cookie.split(';')[0] ?? '';
    expect((await open(proxy, '/admin', { Cookie })).text).toContain('Hello ann@example.com');
    const loggedOut = await askProxy(proxy, { host, method: 'POST', path: '/logout', headers: { Cookie } });
    expect(loggedOut.status, name).toBe(303);
    expect((await open(proxy, '/admin', { Cookie })).status).toBe(401);
  });
});

// Only Linux has systemd.
test.runIf(process.platform === 'linux')("systemd's file is well-formed and hardened", () => {
  const unit = 'deploy/systemd/latchkey@.service';
  const args = ['security', '--offline=true', '--threshold=20', unit];
  const { status, stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  // Of 10: the lower, the better.
  expect(stdout).toMatch(/Overall exposure level for .*: 1\.\d+ OK/);
  expect(status).toBe(0);
  // Otherwise systemd gives up while Redis is away.
  expect(read(unit)).toMatch(/^\[Unit\]$[^[]*^StartLimitIntervalSec=0$/m);
});

function http2Status({ port: at, certificate }: RunningProxy, path: string): Promise<number | undefined> {
  const session = http2.connect(`https://127.0.0.1:${at}`, { ca: certificate.cert, servername: host });
  return new Promise<number | undefined>((done, fail) => {
    session.once('error', fail);
    const request = session.request({ ':path': path, ':authority': host });
    request.once('response', (headers) => done(headers[':status']));
    request.once('error', fail).resume().end();
  }).finally(() => session.close());
}
