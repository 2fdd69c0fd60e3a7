import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { ask, type Method, signedIn } from '../support/client.ts';
import { testRedis } from '../support/test-redis.ts';

const redisAddress = await testRedis();
const http = await startApp({ redisAddress });
const https = await startApp({ redisAddress, env: { BASE_URL: 'https://login.example.com', TRUST_PROXY: '1' } });
const withoutRedis = await startApp();
const lostVisitor = await signedIn(withoutRedis.url);
await withoutRedis.redis.sendCommand(['SHUTDOWN', 'NOSAVE']).catch(() => {});

const policy = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self'",
  'connect-src': "'self'",
  'form-action': "'self'",
  'base-uri': "'none'",
  'object-src': "'none'",
  'frame-ancestors': "'none'",
};

function readPolicy(header: string): Record<string, string> {
  return Object.fromEntries(
    header.split(';').map((directive) => {
      const [name = '', ...values] = directive.trim().split(' ');
      return [name, values.join(' ')];
    }),
  );
}

/** A response of every kind that the app gives, by its status. */
const responses: [status: number, name: string, method: Method, path: string, headers?: Record<string, string>][] = [
  [200, 'a page', 'get', '/'],
  [200, 'a page, without its body', 'head', '/login', { Cookie: 'a=b' }],
  [200, 'a static file', 'get', '/style.css'],
  [200, 'health', 'get', '/livez'],
  [200, 'readiness', 'get', '/readyz'],
  [200, 'a page for a client that accepts compression', 'get', '/', { 'Accept-Encoding': 'br' }],
  [204, 'OPTIONS', 'options', '/'],
  [206, 'a range of a static file', 'get', '/style.css', { Range: 'bytes=0-9' }],
  [303, 'a redirect', 'get', '/logout'],
  [304, 'a static file that the browser has', 'get', '/style.css', { 'If-None-Match': '*' }],
  [400, 'a malformed path', 'get', '/%zz'],
  [401, 'a page that needs a login', 'get', '/admin'],
  [403, 'a form from another site', 'post', '/login', { 'Sec-Fetch-Site': 'cross-site' }],
  [404, 'an unknown page', 'get', '/nowhere'],
  [405, 'a method that a page does not have', 'delete', '/'],
  [405, 'a method that health does not have', 'post', '/livez'],
  [412, 'a static file that has changed', 'get', '/style.css', { 'If-Match': '"x"' }],
  [415, 'a compressed body', 'post', '/login', { 'Content-Encoding': 'br' }],
  [416, 'a range beyond a static file', 'get', '/style.css', { Range: 'bytes=9999999-' }],
  [422, 'a bad address', 'post', '/login'],
];

type Answer = { headers: Record<string, string>; text?: string };

/** The only inline style that may apply: the one that is in this page. */
function inlineSources(text = ''): string {
  return [...text.matchAll(/<style>(.*?)<\/style>/gs)]
    .map(([, css = '']) => ` 'sha256-${createHash('sha256').update(css).digest('base64')}'`)
    .join('');
}

function expectHeaders({ headers, text }: Answer, options: { secure: boolean }): void {
  const { secure } = options;
  // ASVS 3.4.3
  expect(readPolicy(headers['content-security-policy'] ?? '')).toEqual({
    ...policy,
    'style-src': `'self'${inlineSources(text)}`,
    ...(secure && { 'upgrade-insecure-requests': '' }),
  });
  expect(headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': expect.stringContaining('camera=()'),
    'x-frame-options': 'DENY',
  });
  // ASVS 3.4.1 requires at least a year, the README promises two.
  expect(headers['strict-transport-security']).toBe(secure ? 'max-age=63072000; includeSubDomains' : undefined);
  expect(headers['x-powered-by']).toBeUndefined();
  expect(headers.server).toBeUndefined();
}

describe.each(responses)('%i: %s', (status, _, method, path, headers = {}) => {
  test('carries the security headers over http', async () => {
    expectHeaders(await ask(http.url, method, path).set(headers).expect(status), { secure: false });
  });

  test('carries them, HSTS and the upgrade of insecure requests over https', async () => {
    const asked = ask(https.url, method, path).set({ ...headers, 'X-Forwarded-Proto': 'https' });
    expectHeaders(await asked.expect(status), { secure: true });
  });
});

test('413 and 415 carry them', async () => {
  const post = () => ask(http.url, 'post', '/login');
  const large = await post()
    .type('form')
    .send(`email=${'a'.repeat(100_000)}`)
    .expect(413);
  expectHeaders(large, { secure: false });
  expectHeaders(await post().type('text').send('email').expect(415), { secure: false });
});

test('500 carries them, HSTS too', async () => {
  const failed = await ask(https.url, 'post', '/login').type('form').send({ email: 'ann@example.com' }).expect(500);
  expectHeaders(failed, { secure: true });
});

test('503 carries them', async () => {
  expectHeaders(await ask(withoutRedis.url, 'get', '/', lostVisitor).expect(503), { secure: false });
});

test('pages have no inline script, and no inline style but the style sheet: the policy would block it', async () => {
  const visitor = await signedIn(http.url);
  for (const path of ['/', '/login', '/admin', '/logout', '/nowhere']) {
    for (const answer of [await ask(http.url, 'get', path), await visitor.get(path)]) {
      const text = answer.text.replace(/<style>:root\{color-scheme:[^<]*<\/style>/, '');
      expect(text).not.toMatch(/<style|\sstyle=|\son[a-z]+=|<script(?![^>]* src="\/)|javascript:/i);
    }
  }
});
