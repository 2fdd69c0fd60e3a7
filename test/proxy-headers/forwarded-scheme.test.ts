import { describe, expect, test } from 'vitest';
import { findProxyRanges } from '../../src/features/proxy-headers/proxies.ts';
import { startApp } from '../support/app.ts';
import { ask, clients } from '../support/client.ts';
import { testRedis } from '../support/test-redis.ts';

const redisAddress = await testRedis();
const env = { BASE_URL: 'https://login.example.com', TRUST_PROXY: '1' };
const { url } = await startApp({ redisAddress, env });
const direct = await startApp({ redisAddress });

function signIn(app: string, headers: Record<string, string>) {
  return ask(app, 'post', '/login')
    .type('form')
    .set({ ...clients.text, ...headers })
    .send({ email: 'ann@example.com' });
}

describe('a proxy that is trusted says https', () => {
  test.each<Record<string, string>>([
    { 'X-Forwarded-Proto': 'https' },
    { 'X-Forwarded-Proto': 'HTTPS' },
    { 'X-Forwarded-Proto': 'Https , http' },
    { 'X-Forwarded-Proto': 'https, http' },
    { 'X-Forwarded-Proto': 'https,https,http' },
    { 'X-Forwarded-Proto': ' ,https' },
    { 'X-Forwarded-Proto': 'wss' },
    { Forwarded: 'proto=https' },
    { Forwarded: 'for=192.0.2.60;proto=HTTPS;by=203.0.113.43' },
    { Forwarded: 'For="[2001:db8:cafe::17]:4711"; Proto="https", for=10.0.0.1;proto=http' },
    { Forwarded: 'for="a;proto=http, b";host="x, y";proto=https' },
    { 'X-Forwarded-Ssl': 'on' },
    { 'X-Forwarded-Ssl': 'ON' },
    { 'X-Forwarded-Proto': '', 'X-Forwarded-Ssl': 'on' },
    { Forwarded: 'for=192.0.2.60', 'X-Forwarded-Ssl': 'on' },
    { 'X-Forwarded-Proto': 'https', Forwarded: 'proto=http', 'X-Forwarded-Ssl': 'off' },
  ])('with %j', async (headers) => {
    const { headers: answered } = await signIn(url, headers).expect(200, 'done');
    expect(answered['set-cookie']).toEqual([expect.stringMatching(/^__Host-session=.*; Secure/)]);
  });
});

describe('a visitor who came by http is told so, with nothing in the log that blames a missing header', () => {
  test.each<Record<string, string>>([
    { 'X-Forwarded-Proto': 'http' },
    { 'X-Forwarded-Proto': 'HTTP, https' },
    { 'X-Forwarded-Proto': 'ws' },
    { Forwarded: 'proto=http, proto=https' },
    { 'X-Forwarded-Ssl': 'off' },
  ])('with %j', async (headers) => {
    const app = await startApp({ redisAddress, env });
    const { headers: answered } = await signIn(app.url, headers).expect(403, /Open it over https/);
    expect(answered['set-cookie']).toBeUndefined();
    const warnings = app.logged().filter(({ level }) => Number(level) >= 40);
    expect(warnings).toEqual([expect.objectContaining({ msg: expect.stringContaining('came by http') })]);
  });
});

describe('a scheme that is unknown is refused in words, and named in the log once', () => {
  const unknown = ['ftp', 'https:', 'https;http', 'javascript', '1', '"https"', 'h ttps', 'constructor', '__proto__'];
  test.each([
    ...unknown.map((value) => ({ 'X-Forwarded-Proto': value })),
    { Forwarded: 'proto=spdy' },
    { 'X-Forwarded-Ssl': 'yes' },
  ])('as in %j', async (headers) => {
    const app = await startApp({ redisAddress, env });
    for (const path of ['/', '/admin', '/login']) {
      const { text } = await ask(app.url, 'get', path)
        .set({ ...clients.text, ...headers })
        .expect(400);
      expect(text).toBe('The proxy in front of this site does not say whether you came by http or https.\n');
    }
    await signIn(app.url, headers).expect(400);
    const [[header = '', value = ''] = []] = Object.entries(headers);
    const warnings = app.logged().filter(({ level }) => Number(level) >= 40);
    expect(warnings).toEqual([expect.objectContaining({ level: 40, header: header.toLowerCase(), value })]);
  });
});

test('nobody else is believed, nor refused for it', async () => {
  const untrusted = await startApp({ redisAddress, env: { ...env, TRUST_PROXY: '192.0.2.1' } });
  for (const headers of [{ 'X-Forwarded-Proto': 'HTTPS' }, { Forwarded: 'proto=https' }, { 'X-Forwarded-Ssl': 'on' }]) {
    const { headers: answered } = await signIn(direct.url, headers).expect(200);
    expect(answered['set-cookie']?.[0]).not.toContain('Secure');
    await signIn(untrusted.url, headers).expect(500);
  }
  await signIn(direct.url, { 'X-Forwarded-Proto': 'javascript' }).expect(200);
  const [failure] = untrusted.logged().filter(({ msg }) => msg === 'request failed');
  expect(failure?.err).toMatchObject({
    message: expect.stringMatching(/^BASE_URL is https, .* came from 127\.0\.0\.1, which TRUST_PROXY does not name/),
  });
});

// express-session#281: a secure cookie that is silently missing behind a proxy.
test('a proxy that does not say how visitors come is named in the log: once as a warning, and with each failure', async () => {
  const { url, logged } = await startApp({ redisAddress, env });
  const remedy = 'let it send X-Forwarded-Proto: https';
  for (let turn = 1; turn <= 2; turn += 1) await signIn(url, {}).expect(500);
  const warnings = logged().filter(({ level }) => level === 40);
  expect(warnings).toEqual([expect.objectContaining({ msg: expect.stringContaining(remedy) })]);
  const failures = logged().filter(({ msg }) => msg === 'request failed');
  const err = expect.objectContaining({ message: expect.stringContaining(remedy) });
  expect(failures).toEqual([expect.objectContaining({ err }), expect.objectContaining({ err })]);
});

test('nothing is logged while requests come as https', async () => {
  const { url, logged } = await startApp({ redisAddress, env });
  await signIn(url, { 'X-Forwarded-Proto': 'https' }).expect(200);
  expect(logged().filter(({ level }) => Number(level) >= 40)).toEqual([]);
});

test('health checks and static files pass, whatever a proxy says', async () => {
  for (const path of ['/livez', '/readyz', '/style.css']) {
    await ask(url, 'get', path).set('X-Forwarded-Proto', 'ftp').expect(200);
  }
});

test.each<[number | string[] | false, string[]]>([
  [false, []],
  [1, []],
  [['10.0.0.5', '10.0.0.6/32', '2001:db8::1', '2001:db8::2/128', 'loopback', '127.0.0.0/8'], []],
  [
    ['10.0.0.5', '10.0.0.0/8', '192.168.1.0/31'],
    ['10.0.0.0/8', '192.168.1.0/31'],
  ],
  [
    ['uniquelocal', 'linklocal'],
    ['uniquelocal', 'linklocal'],
  ],
  [
    ['fd00::/8', '2001:db8::/127', '::ffff:10.0.0.0/104'],
    ['fd00::/8', '2001:db8::/127', '::ffff:10.0.0.0/104'],
  ],
])('trusting %j, machines in %j can forge X-Forwarded-For', (trustProxy, ranges) => {
  expect(findProxyRanges(trustProxy)).toEqual(ranges);
});
