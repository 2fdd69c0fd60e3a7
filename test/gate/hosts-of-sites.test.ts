import { describe, expect, test } from 'vitest';
import { connect } from '../support/process.ts';
import { testRedis } from '../support/test-redis.ts';
import { GateBrowser, login, reports, startGateApp, wiki } from './gate-app.ts';

const redisAddress = await testRedis();
const app = await startGateApp({ redisAddress });
const [loginHost, wikiHost, reportsHost] = [login, wiki, reports].map((origin) => new URL(origin).host);

const browser = new GateBrowser(app);
await browser.openAs('ann@example.com', `${wiki}/`);
const siteCookie = `__Host-latchkey=${browser.cookies(wiki).get('__Host-latchkey')}`;
const loginCookie = `__Host-session=${browser.cookies(login).get('__Host-session')}`;

/** The one answer to a request as a proxy passes it on, with all of these lines and no others. */
async function send(line: string, ...headers: string[]): Promise<{ status: number; text: string }> {
  const bytes = [`${line} HTTP/1.1`, ...headers, 'Connection: close', '', ''].join('\r\n');
  const { received, closed } = await connect(app.url, bytes);
  await closed;
  return { status: Number(received().split(' ')[1]), text: received() };
}

const fromWiki = [`Host: ${wikiHost}`, `X-Forwarded-Host: ${wikiHost}`, 'X-Forwarded-Proto: https'];
const partsOfLoginSite = /strict-transport-security|upgrade-insecure-requests|<form|style\.css|E-mail address/i;

describe('on the host of a site, nothing is answered but its four pages', () => {
  const pages = ['/', '/login', '/admin', '/logout', '/gate?site=https://wiki.example.net', '/.well-known/jwks.json'];
  const others = ['/livez', '/readyz', '/style.css', '/doctor/x', '/.latchkey', '/.latchkey/nope'];
  const misread = [
    ...['/admin/..%2f.latchkey/x', '/login/..%2f.latchkey/x', '/style.css/..%2f.latchkey/x', '/%zz', '//login'],
    ...['/.LATCHKEY/start', '/.latchkey/START', '/.latchkey/start/', '//.latchkey/start', '/%2elatchkey/start'],
    ...[
      '/.latchkey/./start',
      '/.latchkey/x/../start',
      '/.latchkey\\start',
      '/.latchkey/start;x',
      '/.latchkey/start%00',
    ],
    ...['/.latchkey/../login', '/.latchkey/..%2flogin', `${login}/login`, `${wiki}/login`, `${wiki}/.latchkey/nope`],
  ];

  test.each([...pages, ...others, ...misread])('%s is 404 or 400', async (path) => {
    const { status, text } = await send(`GET ${path}`, ...fromWiki, `Cookie: ${siteCookie}; ${loginCookie}`);
    expect([400, 404]).toContain(status);
    expect(text).not.toMatch(partsOfLoginSite);
    expect(text).not.toMatch(/ann@example\.com|set-cookie/i);
  });

  test.each([
    [`Host: ${wikiHost}`],
    ['Host: WIKI.Example.NET'],
    [`Host: ${wikiHost}:443`],
    [`Host: ${wikiHost}.`],
    [`Host: ${wikiHost}:8443`, 'X-Forwarded-Proto: http'],
    [`Host: ${reportsHost?.split(':')[0]}`],
    ['Host: 127.0.0.1:3000', `X-Forwarded-Host: ${wikiHost}`],
    ['Host: 127.0.0.1:3000', `X-Forwarded-Host: ${wikiHost}, ${loginHost}`],
    // One of the two may be the visitor's word.
    [`Host: ${wikiHost}`, `X-Forwarded-Host: ${loginHost}`],
    [`Host: ${loginHost}`, `X-Forwarded-Host: ${wikiHost}`],
  ])('with %s %s', async (...headers) => {
    for (const path of ['/login', '/admin', '/.latchkey/nope']) {
      const { status, text } = await send(`GET ${path}`, ...headers);
      expect(status).toBe(404);
      expect(text).not.toMatch(partsOfLoginSite);
    }
  });

  test('other methods, and forms of other sites, do not get more', async () => {
    for (const [line, status, ...headers] of [
      ['POST /login', 404, 'Content-Length: 0'],
      ['POST /.latchkey/logout', 403, 'Content-Length: 0', 'Sec-Fetch-Site: cross-site'],
      ['POST /.latchkey/logout', 403, 'Content-Length: 0', 'Origin: https://evil.example'],
      ['POST /.latchkey/logout', 403, 'Content-Length: 0', `Origin: ${login}`],
      ['PUT /.latchkey/start', 405, 'Content-Length: 0'],
      ['OPTIONS /.latchkey/start', 204],
      ['OPTIONS *', 404],
      ['GET /.latchkey/start', 303],
      ['GET /.latchkey/refused', 403],
    ] as const) {
      const answer = await send(line, ...fromWiki, ...headers);
      expect(answer.status, line).toBe(status);
      expect(answer.text, line).not.toMatch(partsOfLoginSite);
    }
  });

  // feature: request-log
  test('requests are logged under their ids', async () => {
    const before = app.logged().length;
    const { text } = await send('GET /.latchkey/nope', ...fromWiki, 'X-Request-Id: of-the-proxy');
    expect(text).toMatch(/^x-request-id: of-the-proxy\r$/im);
    const line = { msg: 'request', id: 'of-the-proxy', path: '/.latchkey/nope', status: 404 };
    expect(app.logged().slice(before)).toMatchObject([line]);
  });
  // end: request-log
});

test('the login site itself binds its subdomains to https', async () => {
  for (const path of ['/login', '/nope']) {
    expect((await send(`GET ${path}`, `Host: ${loginHost}`)).text).toMatch(
      /^strict-transport-security: max-age=63072000; includeSubDomains\r$/im,
    );
  }
});

// feature: connection-limits
test('requests that are refused unread bind nobody to https: their host is unknown, and may be a site', async () => {
  for (const [status, line, ...headers] of [
    [431, `GET /.latchkey/${'x'.repeat(17_000)}`, ...fromWiki],
    [431, 'GET /.latchkey/start', ...fromWiki, `Cookie: ${'x'.repeat(17_000)}`],
    [431, 'GET /.latchkey/start', ...fromWiki, `Accept: ${'x'.repeat(2000)}`],
    [400, 'GET /.latchkey/start', ...fromWiki, ...fromWiki],
    [400, 'BREW /.latchkey/start', ...fromWiki],
  ] as const) {
    const answer = await send(line, ...headers);
    expect(answer.status).toBe(status);
    expect(answer.text).not.toMatch(/strict-transport-security/i);
    expect(answer.text).toMatch(/^content-security-policy: /im);
  }
});
// end: connection-limits
