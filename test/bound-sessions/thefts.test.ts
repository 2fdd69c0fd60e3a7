import type { SessionData } from 'express-session';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { boundCookieSeconds } from '../../src/features/bound-sessions/bound-cookie.ts';
import { graceSeconds } from '../../src/features/bound-sessions/guard.ts';
import { handleOf, sessionKey } from '../../src/session/session-id.ts';
import { startApp } from '../support/app.ts';
import { BoundBrowser, DeviceKey, https, thiefOf } from './bound-browser.ts';
import { passSeconds } from './clock.ts';

const app = await startApp({ env: https });
const both = ['__Host-session', '__Host-bound'];
let victim: BoundBrowser;

beforeEach(async () => {
  victim = new BoundBrowser(app.url);
  await victim.bind();
  passSeconds(61);
});
afterEach(() => void vi.useRealTimers());

/** What the log says of a session being used without its key; the victim's if no other is named. */
function reasons(of = victim): unknown[] {
  const session = handleOf(of.sessionId);
  return app
    .logged()
    .filter((line) => line.msg === 'bound session refused' && line.session === session)
    .map(({ reason }) => reason);
}

/** The owner is still signed in, and has proved it again. */
async function expectOwnerIn(): Promise<void> {
  await victim.prove();
  expect((await victim.get('/admin')).text).toContain('Hello ann@example.com');
}

test('the session cookie alone is worth nothing, on any page', async () => {
  const thief = thiefOf(victim, app.url, '__Host-session');
  for (const path of ['/admin', '/', '/login', '/logout']) {
    const { text, setCookies } = await thief.get(path);
    expect({ path, leaked: /ann@example\.com/.test(text), setCookies }).toEqual({
      path,
      leaked: false,
      setCookies: [],
    });
  }
  expect((await thief.get('/admin')).status).toBe(401);
  expect(reasons()).toEqual(Array(5).fill('no bound cookie'));
  await expectOwnerIn();
});

test('the session cookie alone can change nothing', async () => {
  const other = new BoundBrowser(app.url);
  await other.bind();
  const thief = thiefOf(victim, app.url, '__Host-session');
  for (const path of ['/admin/end-session', '/admin/end-other-sessions', '/logout']) {
    await thief.post(path, { form: { session: handleOf(other.sessionId) } });
  }
  expect((await other.get('/admin')).status).toBe(200);
  await expectOwnerIn();
});

test('a stolen pair is worth ten minutes, and not a second more', async () => {
  expect(boundCookieSeconds).toBe(600);
  await victim.prove();
  const thief = thiefOf(victim, app.url, ...both);
  passSeconds(boundCookieSeconds - 1);
  expect((await thief.get('/admin')).status).toBe(200);
  passSeconds(1);
  const late = await thief.get('/admin');
  expect({ status: late.status, text: late.text.includes('ann@') }).toEqual({ status: 307, text: false });
  expect((await thief.get('/admin')).status).toBe(401);
  expect(reasons()).toEqual(['bound cookie expired', 'no bound cookie']);
  await expectOwnerIn();
});

test('a clock that is set back makes a stolen pair worth eleven minutes more at most', async () => {
  passSeconds(1000);
  await victim.prove();
  const status = async () => (await thiefOf(victim, app.url, ...both).get('/admin')).status;
  passSeconds(-300);
  expect(await status()).toBe(307);
  passSeconds(239);
  expect(await status()).toBe(307);
  passSeconds(1);
  expect(await status()).toBe(200);
  passSeconds(659);
  expect(await status()).toBe(200);
  passSeconds(1);
  expect(await status()).toBe(307);
});

test('a clock that is set back makes no session new, whose requests may do without proof for a while', async () => {
  passSeconds(-3600);
  const { status, setCookies } = await thiefOf(victim, app.url, '__Host-session').get('/admin');
  expect({ status, setCookies }).toEqual({ status: 401, setCookies: [] });
});

describe('a key of the thief', () => {
  test('renews nothing, however the proof is dressed up', async () => {
    const thief = thiefOf(victim, app.url, ...both);
    thief.dropBoundCookie();
    await thief.refresh();
    const none = { alg: 'none' };
    for (const claims of [{}, none, { alg: 'HS256' }, { typ: 'JWT' }]) {
      const { status, setCookies } = await thief.refresh(claims);
      expect({ claims, status, setCookies }).toEqual({ claims, status: 403, setCookies: [] });
    }
    expect(reasons()).toEqual(['wrong key']);
    await expectOwnerIn();
  });

  test('is not registered over the session: only its sign-in was answered with the challenge', async () => {
    const thief = thiefOf(victim, app.url, ...both);
    const { headers } = await thief.get('/admin');
    expect(headers.get('Secure-Session-Registration')).toBeNull();
    thief.dropBoundCookie();
    const fresh = new BoundBrowser(app.url);
    await fresh.signIn('ann@example.com');
    await thief.refresh();
    for (const challenge of [undefined, 'x', thief.challenge, fresh.invitation]) {
      expect((await thief.register({ challenge })).status).toBe(400);
    }
    expect(reasons()).toEqual(Array(4).fill('registration not asked for'));
    await expectOwnerIn();
  });

  test('is not registered even with the challenge of the sign-in, once the browser has used it', async () => {
    const thief = thiefOf(victim, app.url, ...both);
    expect((await thief.register({ challenge: victim.invitation })).status).toBe(409);
    expect(reasons()).toEqual(['registration of a second key']);
    await expectOwnerIn();
  });

  test('is not registered with a signature by another', async () => {
    const browser = new BoundBrowser(app.url);
    await browser.signIn('ann@example.com');
    expect((await browser.register({ signedBy: new DeviceKey() })).status).toBe(400);
    expect(reasons(browser)).toEqual(['registration signed by another key']);
    expect(await app.redis.get(sessionKey(browser.sessionId))).not.toContain('binding');
  });
});

test('a registration that the browser repeats is refused, but no theft', async () => {
  expect((await victim.register({ challenge: victim.invitation })).status).toBe(409);
  expect(reasons()).toEqual([]);
  await expectOwnerIn();
});

test('a challenge can be answered once', async () => {
  const challenge = await victim.askForChallenge();
  expect((await victim.refresh()).status).toBe(200);
  expect((await victim.refresh({ challenge })).status).toBe(403);
  expect(reasons()).toEqual(['proof replayed']);
});

test('a challenge comes only with the answer that asks for its signature', async () => {
  const browser = new BoundBrowser(app.url);
  await browser.signIn('ann@example.com');
  const registered = await browser.register();
  const [asked, renewed] = [await browser.refresh(), await browser.refresh()];
  const answers = [registered, asked, renewed].map(({ status, headers }) => [
    status,
    headers.has('Secure-Session-Challenge'),
  ]);
  expect(answers).toEqual([
    [200, false],
    [403, true],
    [200, false],
  ]);
});

test('a challenge can be answered for five minutes', async () => {
  await victim.askForChallenge();
  passSeconds(299);
  expect((await victim.refresh()).status).toBe(200);
  await victim.askForChallenge();
  passSeconds(300);
  expect((await victim.refresh()).status).toBe(403);
  expect((await victim.refresh()).status).toBe(200);
});

test('a bound cookie is good for its own session and key only', async () => {
  const own = new BoundBrowser(app.url);
  await own.bind('thief@example.com');
  const thief = thiefOf(victim, app.url, '__Host-session');
  thief.cookies.set('__Host-bound', own.cookies.get('__Host-bound') ?? '');
  passSeconds(graceSeconds);
  expect((await thief.get('/admin')).status).toBe(307);
  expect((await thief.get('/admin')).status).toBe(401);
  expect(reasons()).toEqual(['bound cookie wrong', 'no bound cookie']);
});

test('a binding of a shape that is not known is not taken for none', async () => {
  const key = sessionKey(victim.sessionId);
  const record = (await app.redis.get(key)) ?? '';
  for (const binding of ['2something', '1short']) {
    await app.redis.set(key, record.replace(/"binding":"[^"]*"/, `"binding":"${binding}"`), { KEEPTTL: true });
    const { text } = await thiefOf(victim, app.url, ...both).get('/');
    expect({ binding, leaked: text.includes('ann@example.com') }).toEqual({ binding, leaked: false });
  }
});

test('headers that the thief adds or leaves out open nothing', async () => {
  const thief = thiefOf(victim, app.url, '__Host-session');
  const dressed = [
    { 'Secure-Session-Skipped': 'quota_exceeded;session_identifier="x"' },
    { 'Sec-Secure-Session-Id': victim.name },
    { 'Sec-Purpose': 'prefetch' },
    { 'Secure-Session-Registration': '(ES256)' },
    { 'X-Requested-With': 'XMLHttpRequest' },
  ];
  for (const headers of dressed) {
    const { status, text } = await thief.get('/admin', { headers });
    expect({ headers, status, leaked: text.includes('ann@') }).toEqual({ headers, status: 401, leaked: false });
  }
});

test('a slow request that loaded the session before it was bound does not unbind it', async () => {
  const browser = new BoundBrowser(app.url);
  await browser.signIn('ann@example.com');
  const key = sessionKey(browser.sessionId);
  const slow = await app.store.get(browser.sessionId);
  await browser.register();
  await browser.get('/admin');
  await app.store.set(browser.sessionId, Object.assign(slow ?? {}, { flash: 'Done.' }) as SessionData);
  expect(slow?.binding).toBeUndefined();
  expect(await app.redis.get(key)).toMatch(/\n\{"binding":"1[^"]+","flash":"Done."\}$/);
});
