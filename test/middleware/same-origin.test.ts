import express from 'express';
import request from 'supertest';
import { describe, expect, test } from 'vitest';
import { createLogger } from '../../src/log.ts';
import { errorPage } from '../../src/middleware/errors.ts';
import { sameOrigin } from '../../src/middleware/same-origin.ts';
import { securityHeaders } from '../../src/middleware/security-headers.ts';
import { startApp } from '../support/app.ts';
import { ask, clients, signedIn } from '../support/client.ts';

const ownOrigin = 'https://login.example.com';
const direct = await startApp();
const proxied = await startApp({ env: { BASE_URL: ownOrigin, TRUST_PROXY: '1' }, config: { production: true } });

// CSRF, ASVS 3.5.1: `Sec-Fetch-Site` decides, else `Origin`; a client that sends neither is no browser.
describe('a POST', () => {
  const host = new URL(direct.url).host;
  const attempt = (headers: Record<string, string>) =>
    ask(direct.url, 'post', '/login').type('form').set(headers).send({ email: 'ann@example.com' });

  test.each([
    ['the same origin', { 'Sec-Fetch-Site': 'same-origin' }],
    ['the browser itself', { 'Sec-Fetch-Site': 'none' }],
    ['the same origin, its Origin hidden', { 'Sec-Fetch-Site': 'same-origin', Origin: 'null' }],
    ['an older browser, with the own Origin', { Origin: `http://${host}` }],
    ['a client that is no browser', {}],
  ])('is done for %s', async (_, headers) => {
    await attempt(headers)
      .expect(303)
      .expect('Set-Cookie', /^session=/);
  });

  test.each([
    ['another site', { 'Sec-Fetch-Site': 'cross-site' }],
    ['another origin of the same site', { 'Sec-Fetch-Site': 'same-site' }],
    ['a value that no browser sends', { 'Sec-Fetch-Site': 'SAME-ORIGIN' }],
    ['an empty value', { 'Sec-Fetch-Site': '' }],
    ['another site that claims our Origin', { 'Sec-Fetch-Site': 'cross-site', Origin: `http://${host}` }],
    ['an older browser, from another site', { Origin: 'http://evil.example' }],
    ['a sandboxed frame or a data: URL', { Origin: 'null' }],
    ['our host by another scheme', { Origin: `https://${host}` }],
    ['our host at another port', { Origin: 'http://127.0.0.1:1' }],
    ['a host that begins like ours', { Origin: `http://${host}.evil.example` }],
    ['a malformed Origin', { Origin: '*' }],
    ['a Referer of ours beside a foreign Origin', { Origin: 'http://evil.example', Referer: `http://${host}/` }],
  ])('is refused from %s', async (_, headers) => {
    const answer = await attempt({ ...headers, ...clients.text }).expect(403);
    expect(answer.text).toBe('This form was sent from another site, so nothing was done.\n');
    expect(answer.headers['set-cookie']).toBeUndefined();
  });

  test('from another site neither signs out nor ends a session', async () => {
    const visitor = await signedIn(direct.url);
    for (const path of ['/logout', '/admin/end-session', '/admin/end-other-sessions', '/nowhere']) {
      await ask(direct.url, 'post', path, visitor).set('Sec-Fetch-Site', 'cross-site').expect(403);
    }
    expect((await visitor.get('/admin')).status).toBe(200);
  });
});

test.each(['put', 'patch', 'delete'] as const)(
  '%s from another site is refused before anything else',
  async (method) => {
    await ask(direct.url, method, '/login').set('Sec-Fetch-Site', 'cross-site').expect(403);
  },
);

test.each(['get', 'head', 'options'] as const)('%s may come from anywhere', async (method) => {
  const { status } = await ask(direct.url, method, '/').set('Sec-Fetch-Site', 'cross-site').set('Origin', 'null');
  expect(status).toBeLessThan(300);
});

test('no other site can read anything: there is no CORS', async () => {
  for (const path of ['/', '/admin', '/style.css', '/livez']) {
    const { headers } = await ask(direct.url, 'options', path).set({
      Origin: 'http://evil.example',
      'Access-Control-Request-Method': 'POST',
    });
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
  }
});

describe('behind a proxy', () => {
  const attempt = (headers: Record<string, string>) =>
    ask(proxied.url, 'post', '/login')
      .type('form')
      .set({ 'X-Forwarded-Proto': 'https', ...headers })
      .send({ email: 'ann@example.com' });

  test('the Origin is that of BASE_URL, whatever host the proxy asks for', async () => {
    await attempt({ Origin: ownOrigin, Host: 'internal:3000' }).expect(303);
    await attempt({ Origin: 'https://evil.example', Host: 'internal:3000' }).expect(403);
    await attempt({ Origin: 'http://login.example.com', Host: 'internal:3000' }).expect(403);
  });

  test('the host that the proxy forwards counts as well', async () => {
    await attempt({ Origin: 'https://other.example', 'X-Forwarded-Host': 'other.example' }).expect(303);
  });
});

describe('an identity provider', () => {
  const identityProvider = {
    formOrigins: ['https://id.example.com', 'https://accounts.example.net'],
    callback: { origin: 'https://id.example.com', path: '/login/answer' },
  };
  const lines: object[] = [];
  const log = createLogger('info', { write: (line) => lines.push(JSON.parse(line)) });
  const app = express();
  app.use(securityHeaders({ https: false, identityProvider }), sameOrigin(log, ownOrigin, identityProvider));
  app.use((_req, res) => void res.send('taken'));
  app.use(errorPage({ log: createLogger('silent'), noteOutage() {} }));
  const post = (path: string, Origin: string) =>
    request(app).post(path).set({ Origin, 'Sec-Fetch-Site': 'cross-site', Accept: 'text/plain' });

  test('may post its answer to its one path', async () => {
    await post('/login/answer', 'https://id.example.com').expect(200, 'taken');
  });

  test.each([
    ['/login', 'https://id.example.com'],
    ['/login/answer/more', 'https://id.example.com'],
    ['/login/answer', 'https://accounts.example.net'],
    ['/login/answer', 'https://id.example.com.evil.example'],
    ['/login/answer', 'http://id.example.com'],
    ['/login/answer', 'null'],
  ])('opens nothing else: %s from %s', async (path, origin) => {
    await post(path, origin).expect(403);
  });

  test('is told apart in the log when it hides its origin, or is another than is expected', async () => {
    lines.length = 0;
    await post('/login/answer', 'null').expect(403);
    await post('/login/answer', `https://${'x'.repeat(300)}.example`).expect(403);
    await post('/login/answer', 'https://evil\x9b31m.example').expect(403);
    const said = { msg: 'refused a request from another site', site: 'cross-site' };
    expect(lines).toMatchObject([
      { ...said, origin: 'null' },
      { ...said, origin: `https://${'x'.repeat(192)}` },
      { ...said, origin: 'https://evil' },
    ]);
  });

  test('names the only other sites that forms may lead to', async () => {
    const { headers } = await request(app).get('/');
    const csp = headers['content-security-policy'];
    expect(csp).toContain("form-action 'self' https://id.example.com https://accounts.example.net;");
  });
});
