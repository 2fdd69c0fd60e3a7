import { describe, expect, test } from 'vitest';
import { connect } from '../support/process.ts';
import { testRedis } from '../support/test-redis.ts';
import { GateBrowser, startGateApp, wiki } from './gate-app.ts';

const redisAddress = await testRedis();
const app = await startGateApp({ redisAddress });
const browser = new GateBrowser(app);
await browser.openAs('ann@example.com', `${wiki}/`);
const siteCookie = `__Host-latchkey=${browser.cookies(wiki).get('__Host-latchkey')}`;

async function send(line: string, ...headers: string[]): Promise<{ status: number; text: string }> {
  const { received, closed } = await connect(app.url, `${line} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
  await closed;
  return { status: Number(received().split(' ')[1]), text: received() };
}

describe('a check by Envoy', () => {
  const asEnvoy = [
    ...['Host: wiki.example.net', 'X-Forwarded-Proto: https', `Cookie: ${siteCookie}; app=of-the-app`],
    'Connection: close',
  ];

  test('needs the header that says so, once', async () => {
    const { status, text } = await send('GET /gate/envoy/page', ...asEnvoy, 'Sec-Latchkey-Check: envoy');
    expect([status, text]).toEqual([200, expect.stringContaining('app=of-the-app')]);
    for (const headers of [
      [],
      ['Sec-Latchkey-Check: '],
      ['Sec-Latchkey-Check: nginx'],
      ['Sec-Latchkey-Check: envoy', 'Sec-Latchkey-Check: envoy'],
      ['Sec_Latchkey_Check: envoy'],
      ['X-Latchkey-Check: envoy'],
    ]) {
      const refused = await send('GET /gate/envoy/page', ...asEnvoy, ...headers);
      expect(refused.status).toBe(403);
      expect(refused.text).not.toMatch(/remote-|of-the-app/i);
    }
    const warnings = app.logged().filter(({ msg }) => String(msg).includes('Sec-Latchkey-Check: envoy'));
    expect(warnings).toMatchObject([{ level: 40, peer: '127.0.0.1' }]);
  });

  test.each([
    '/gate/envoy/..%2f..%2f.latchkey/x',
    '/gate/envoy/../../.latchkey/x',
    '/gate/envoy/%2e%2e/%2e%2e/.latchkey/x',
    '/gate/nginx/..%2f..%2f.latchkey/x',
    '/gate/forward/..%2f..%2f.latchkey/x',
    '/gate/nginx#/../../.latchkey/x',
    `${wiki}/gate/envoy/..%2f..%2f.latchkey/x`,
    `${wiki}/gate/nginx`,
    '//gate/nginx',
    '/GATE/nginx',
    '/gate/nginx/',
    '/gate/./nginx',
    '/gate%2fnginx',
  ])('is not what a visitor asks for by %s, nor is any other check', async (path) => {
    const words = ['X-Original-URL: https://wiki.example.net/', 'X-Original-Method: GET', 'X-Forwarded-Uri: /'];
    const { status, text } = await send(`GET ${path}`, ...asEnvoy, 'X-Forwarded-Host: wiki.example.net', ...words);
    expect([400, 403, 404]).toContain(status);
    expect(text).not.toMatch(/remote-|of-the-app/i);
  });
});
