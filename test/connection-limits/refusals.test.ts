import { describe, expect, test } from 'vitest';
import { securityHeaders } from '../../src/middleware/security-headers.ts';
import { headerValues } from '../../src/shared/header-values.ts';
import { startApp } from '../support/app.ts';
import { connect } from '../support/process.ts';
import { testRedis } from '../support/test-redis.ts';

const redisAddress = await testRedis();
const http = await startApp({ redisAddress });
const https = await startApp({ redisAddress, env: { BASE_URL: 'https://login.example.com', TRUST_PROXY: '1' } });

/** Requests that Node would answer itself, without our headers, and others that the app must not see. */
const host = 'Host: localhost\r\n';
const answeredBeforeTheApp: [status: number, name: string, bytes: string][] = [
  [400, 'bytes that are not HTTP', 'GARBAGE\r\n\r\n'],
  [400, 'TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  [400, 'HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  [400, 'an unknown method', `BREW / HTTP/1.1\r\n${host}\r\n`],
  [400, 'HTTP/1.1 without Host', 'GET / HTTP/1.1\r\n\r\n'],
  [400, 'two Hosts', `GET / HTTP/1.1\r\n${host}Host: evil.example\r\n\r\n`],
  [400, 'two equal Hosts in HTTP/1.0', `HEAD / HTTP/1.0\r\n${host}hOST: localhost\r\n\r\n`],
  [400, 'two lengths', `POST /login HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`],
  [400, 'a broken chunk', `POST /login HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nx\r\n`],
  [
    413,
    'a long chunk extension',
    `POST /login HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(17_000)}`,
  ],
  [417, 'an expectation', `POST /login HTTP/1.1\r\n${host}Content-Length: 0\r\nExpect: tea\r\n\r\n`],
  [431, 'long headers', `GET / HTTP/1.1\r\n${host}Cookie: ${'x'.repeat(17_000)}\r\n\r\n`],
  [431, 'a long path', `GET /${'x'.repeat(17_000)} HTTP/1.1\r\n${host}\r\n`],
  [431, 'many headers', `GET / HTTP/1.1\r\n${host}${'X: 1\r\n'.repeat(100)}\r\n`],
  [431, 'one long header', `GET / HTTP/1.1\r\n${host}Accept: ${'x'.repeat(2000)}\r\n\r\n`],
  [501, 'a transfer coding', `POST /login HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
];

/** The one response of a connection that the server then closes. */
async function answerTo(url: string, bytes: string) {
  const { received, closed } = await connect(url, bytes);
  await closed;
  const [, status, lines = '', body = ''] = /^HTTP\/1\.1 (\d+) [^\r]+\r\n(.*?)\r\n\r\n(.*)$/s.exec(received()) ?? [];
  const headers = lines.split('\r\n').map((line) => {
    const colon = line.indexOf(': ');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)];
  });
  return { status: Number(status), headers: Object.fromEntries(headers), body };
}

describe.each(answeredBeforeTheApp)('%i before the app: %s', (status, _, bytes) => {
  test.each([
    ['http', http, { https: false }],
    ['https', https, { https: true }],
  ])('carries the security headers over %s, and says why in a line', async (_, { url }, scheme) => {
    const answer = await answerTo(url, bytes);
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({
      ...headerValues(securityHeaders(scheme)),
      connection: 'close',
      'cache-control': 'no-store',
      'content-type': 'text/plain; charset=utf-8',
    });
    expect(Date.now() - Date.parse(answer.headers.date)).toBeLessThan(60_000);
    if (bytes.startsWith('HEAD')) return;
    expect(answer.body).toMatch(/^[A-Z].{10,110}\.\n$/);
    expect(answer.headers['content-length']).toBe(String(answer.body.length));
  });
});
