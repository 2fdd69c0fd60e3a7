import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { expect, test, vi } from 'vitest';
import { commandsFor } from '../support/commands.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';
import { GateBrowser, login, reports, startGateApp, wiki } from './gate-app.ts';

const [older, newer] = ['o'.repeat(40), 'n'.repeat(40)] as const;
const redisAddress = await testRedis();
const app = await startGateApp({ redisAddress, secrets: [newer, older] });

async function keysOf({ url }: { url: string }): Promise<JSONWebKeySet> {
  const response = await fetch(`${url}/.well-known/jwks.json`);
  expect([response.status, response.headers.get('Content-Type')]).toEqual([200, 'application/json; charset=utf-8']);
  expect(response.headers.get('Set-Cookie')).toBeNull();
  return (await response.json()) as JSONWebKeySet;
}

async function assertionFor(browser: GateBrowser, origin: string): Promise<string> {
  return (await browser.check(`${origin}/`)).headers['remote-assertion'] ?? '';
}

test('an app can verify who is visiting with the published keys', async () => {
  const browser = new GateBrowser(app);
  await browser.openAs('ann@example.com', `${wiki}/`);
  const keys = createLocalJWKSet(await keysOf(app));
  const assertion = await assertionFor(browser, wiki);
  const expected = { issuer: login, audience: wiki, algorithms: ['ES256'] };
  const { payload } = await jwtVerify(assertion, keys, expected);
  expect(payload).toMatchObject({ sub: 'ann@example.com', email: 'ann@example.com' });
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(300);
  // Another site's is not for this one, and a changed one for none.
  await browser.open(`${reports}/`);
  await expect(jwtVerify(await assertionFor(browser, reports), keys, expected)).rejects.toThrow('"aud"');
  const [head, body, signature] = assertion.split('.');
  const forged = Buffer.from(JSON.stringify({ ...payload, email: 'eve@example.com' })).toString('base64url');
  await expect(jwtVerify(`${head}.${forged}.${signature}`, keys, expected)).rejects.toThrow('signature');
  expect(body).not.toBe(forged);
});

test('the published keys are public, one for each secret, and every process has the same', async () => {
  const { keys } = await keysOf(app);
  expect(keys).toHaveLength(2);
  for (const key of keys) {
    expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
  }
  const [before, after] = await Promise.all([
    startGateApp({ redisAddress, secrets: [older] }),
    startGateApp({ redisAddress, secrets: [newer] }),
  ]);
  expect([...(await keysOf(after)).keys, ...(await keysOf(before)).keys]).toEqual(keys);

  const browser = new GateBrowser(before);
  await browser.openAs('ann@example.com', `${wiki}/`);
  await jwtVerify(await assertionFor(browser, wiki), createLocalJWKSet({ keys }), { audience: wiki });
  const rotated = new GateBrowser(app);
  await rotated.openAs('ann@example.com', `${wiki}/`);
  expect(decodeProtectedHeader(await assertionFor(rotated, wiki)).kid).toBe(keys[0]?.kid);
});

test('caches may share the keys, so asking for them never renews the cookie of a visitor', async () => {
  const visitor = new Visitor(app.url, { 'X-Forwarded-Proto': 'https' });
  await visitor.signIn('ann@example.com', { remember: 'on' });
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    // So long ago that the next page renews it.
    vi.setSystemTime(Date.now() + 3_600_000);
    const { headers, setCookies } = await visitor.get('/.well-known/jwks.json');
    expect([headers.get('Cache-Control'), setCookies]).toEqual(['public, max-age=300', []]);
    expect((await visitor.get('/admin')).setCookies).toEqual([expect.stringMatching(/^__Host-session=.*Expires=/)]);
  } finally {
    vi.useRealTimers();
  }
});

test('an assertion is signed once a minute, and is good for at least four when an app gets it', async () => {
  // The first assertion is signed when the site is opened, so the clock stands still from there.
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    const browser = new GateBrowser(app);
    await browser.openAs('ann@example.com', `${wiki}/`);
    const first = await assertionFor(browser, wiki);
    vi.setSystemTime(Date.now() + 59_000);
    expect(await assertionFor(browser, wiki)).toBe(first);
    vi.setSystemTime(Date.now() + 2000);
    const second = await assertionFor(browser, wiki);
    expect(second).not.toBe(first);
    expect((decodeJwt(second).iat ?? 0) - (decodeJwt(first).iat ?? 0)).toBe(61);
  } finally {
    vi.useRealTimers();
  }
});

test('an assertion is still good for minutes after the clock of the machine was set back', async () => {
  // The first assertion is signed when the site is opened, so the clock stands still from there.
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    const browser = new GateBrowser(app);
    await browser.openAs('ann@example.com', `${wiki}/`);
    const first = await assertionFor(browser, wiki);
    vi.setSystemTime(Date.now() - 600_000);
    const second = await assertionFor(browser, wiki);
    expect((decodeJwt(second).exp ?? 0) - (decodeJwt(first).exp ?? 0)).toBe(-600);
    vi.setSystemTime(Date.now() + 59_000);
    expect(await assertionFor(browser, wiki)).toBe(second);
  } finally {
    vi.useRealTimers();
  }
});

test('the keys cost Redis nothing', async () => {
  expect(await commandsFor(app.redis, () => keysOf(app))).toEqual({});
});
