import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { graceSeconds, waitSeconds } from '../../src/features/bound-sessions/guard.ts';
import { sessionKey } from '../../src/session/session-id.ts';
import { startApp, testSecret } from '../support/app.ts';
import { commandsFor } from '../support/commands.ts';
import { read } from '../support/documents.ts';
import { testRedis } from '../support/test-redis.ts';
import { BoundBrowser, https } from './bound-browser.ts';
import { passSeconds } from './clock.ts';

const redisAddress = await testRedis();
const app = await startApp({ env: https, redisAddress });
let owner: BoundBrowser;

beforeEach(async () => {
  owner = new BoundBrowser(app.url);
  await owner.bind();
  // Past the time in which a session is good without proof.
  passSeconds(61);
});
afterEach(() => void vi.useRealTimers());

async function expectIn(browser = owner, url?: string): Promise<void> {
  const { status, text } = await (url === undefined ? browser : browser.copy(url)).get('/admin');
  expect({ status, isIn: text.includes('Hello ann@example.com') }).toEqual({ status: 200, isIn: true });
}

test('a request that races the registration is served, for eight seconds', async () => {
  expect(graceSeconds).toBe(8);
  const browser = new BoundBrowser(app.url);
  await browser.bind();
  browser.dropBoundCookie();
  passSeconds(graceSeconds - 1);
  await expectIn(browser);
  passSeconds(1);
  expect((await browser.get('/admin')).status).toBe(307);
  await browser.prove();
  await expectIn(browser);
});

test('a registration whose answer is lost binds nothing', async () => {
  const browser = new BoundBrowser(app.url);
  await browser.signIn('ann@example.com');
  await browser.register();
  browser.dropBoundCookie();
  passSeconds(3600 / 4);
  await expectIn(browser);
});

test('a refresh alone shows that the browser knows of the binding', async () => {
  const browser = new BoundBrowser(app.url);
  await browser.signIn('ann@example.com');
  const answer = await browser.register();
  expect(answer.setCookies.join()).toMatch(
    /^__Host-bound=[^;]+; Max-Age=570; Path=\/; .*HttpOnly; Secure; SameSite=Lax$/,
  );
  await browser.prove();
  browser.dropBoundCookie();
  passSeconds(61);
  expect((await browser.get('/admin')).status).toBe(401);
});

test('a refresh whose answer is lost is repeated with another challenge', async () => {
  const lost = await owner.askForChallenge();
  await owner.refresh();
  expect((await owner.refresh({ challenge: lost })).status).toBe(403);
  expect((await owner.refresh()).status).toBe(200);
  await expectIn();
});

describe('a browser that has signed too often', () => {
  let skipped: Record<string, string>;

  beforeEach(() => {
    passSeconds(3600 / 4);
    owner.dropBoundCookie();
    skipped = owner.skips('quota_exceeded');
  });

  test('gets no content and loses nothing, and the page comes back by itself', async () => {
    const { status, headers, text, setCookies } = await owner.get('/admin', { headers: skipped });
    expect({ status, refresh: headers.get('Refresh') }).toEqual({ status: 401, refresh: '5' });
    expect(text).toContain('This page will reload by itself.');
    expect(text).not.toContain('ann@example.com');
    expect(setCookies.filter((line) => !line.startsWith('__Host-bound-waiting='))).toEqual([]);
    await owner.prove();
    await expectIn();
  });

  test('is not made to load the page for ever', async () => {
    const seen: (string | null)[] = [];
    for (let load = 0; load < waitSeconds.length + 2; load += 1) {
      const wait = (await owner.get('/admin', { headers: skipped })).headers.get('Refresh');
      seen.push(wait);
      passSeconds(Number(wait));
    }
    expect(seen).toEqual([...waitSeconds.map(String), null, null]);
    await owner.prove();
    await expectIn();
    expect(owner.cookies.has('__Host-bound-waiting')).toBe(false);
  });

  test('waits no longer with many tabs than with one', async () => {
    const waits: (string | null)[] = [];
    for (let tab = 0; tab <= waitSeconds.length; tab += 1) {
      waits.push((await owner.get('/admin', { headers: skipped })).headers.get('Refresh'));
    }
    expect(new Set(waits)).toEqual(new Set(['5']));
  });

  test.each([
    ['among those of others', () => `unreachable;session_identifier="a,b", ${skipped['Secure-Session-Skipped']}`, '5'],
    ['for a reason of a later browser', () => owner.skips('new_reason')['Secure-Session-Skipped'], '5'],
    ['for another session only', () => owner.skips('unreachable', 'x')['Secure-Session-Skipped'], null],
  ])('says so in a list: %s', async (_what, header, wait) => {
    const { headers } = await owner.get('/admin', { headers: { 'Secure-Session-Skipped': header() ?? '' } });
    expect(headers.get('Refresh')).toBe(wait);
  });

  test('keeps what was typed into a form', async () => {
    const form = { session: 'what was typed' };
    const { status, text } = await owner.post('/admin/end-session', { form, headers: skipped });
    expect({ status, text: text.includes('what was typed') }).toEqual({ status: 401, text: true });
  });

  test('can log in again', async () => {
    const before = owner.sessionId;
    expect((await owner.get('/login', { headers: skipped })).status).toBe(200);
    await owner.bind();
    await expectIn();
    await expect.poll(() => app.redis.exists(sessionKey(before))).toBe(0);
  });

  test('ends no session of another address when somebody else logs in', async () => {
    const before = owner.sessionId;
    await owner.bind('bob@example.com');
    expect(await app.redis.exists(sessionKey(before))).toBe(1);
  });

  test('is told so in JSON where a script asks, and loses no cookie', async () => {
    const before = owner.sessionCookie;
    const { status, text } = await owner.get('/admin', { headers: { ...skipped, Accept: 'application/json' } });
    expect({ status, error: JSON.parse(text).error }).toEqual({ status: 401, error: expect.stringContaining('again') });
    expect(owner.sessionCookie).toBe(before);
  });
});

test('a browser whose clock is slow is sent to prove its key, and keeps what it sent', async () => {
  passSeconds(600);
  const stale = await owner.post('/admin/end-other-sessions', { form: {} });
  expect([stale.status, stale.location]).toEqual([307, 'https://login.example.com/admin/end-other-sessions']);
  expect(stale.setCookies.join()).toContain('__Host-bound=;');
  await owner.prove();
  expect((await owner.post('/admin/end-other-sessions', { form: {} })).status).toBe(303);
});

test('the redirect leads to this site, whatever the path', async () => {
  for (const path of ['//evil.example/x', '/\\evil.example']) {
    passSeconds(600);
    owner.cookies.delete('__Host-bound-waiting');
    expect((await owner.get(path)).location).toMatch(/^https:\/\/login\.example\.com\/[^/\\]/);
    await owner.prove();
  }
});

test('an owner who has slept is in again after one proof', async () => {
  const sleeper = new BoundBrowser(app.url);
  await sleeper.bind('ann@example.com', { remember: 'on' });
  sleeper.dropBoundCookie();
  passSeconds(10 * 86_400);
  await sleeper.prove();
  await expectIn(sleeper);
});

test('two tabs that prove at once are both in', async () => {
  const challenge = await owner.askForChallenge();
  const statuses = await Promise.all([owner.refresh({ challenge }), owner.refresh({ challenge })]);
  expect(statuses.map(({ status }) => status).sort()).toEqual([200, 403]);
  await owner.prove();
  await expectIn();
});

test('a restart of the app changes nothing', async () => {
  const second = await startApp({ env: https, redisAddress });
  await expectIn(owner, second.url);
});

test('a replaced secret changes nothing, as long as the old one is still listed after it', async () => {
  const secrets = ['a newer secret for the tests, of 32 characters', testSecret] as const;
  const second = await startApp({ env: https, redisAddress, secrets });
  await expectIn(owner, second.url);
  const moved = owner.moveTo(second.url);
  await moved.prove();
  await expectIn(moved);
});

test('once the old secret is gone, the browser proves its key by the session cookie', async () => {
  const newer = 'a newer secret for the tests, of 32 characters';
  const both = await startApp({ env: https, redisAddress, secrets: [newer, testSecret] });
  const moving = owner.moveTo(both.url);
  await expectIn(moving);
  const after = moving.moveTo((await startApp({ env: https, redisAddress, secrets: [newer] })).url);
  await after.prove();
  await expectIn(after);
});

test('a process in which it is off serves a bound session, and leaves it bound', async () => {
  const off = await startApp({ env: { ...https, BOUND_SESSIONS: 'off' }, redisAddress });
  const visitor = owner.copy(off.url);
  visitor.cookies.delete('__Host-bound');
  passSeconds(61);
  expect(
    (await visitor.post('/admin/end-other-sessions', { headers: { 'Sec-Fetch-Site': 'same-origin' } })).status,
  ).toBe(303);
  expect((await visitor.get('/admin')).text).toContain('Hello ann@example.com');
  await expectIn();
  owner.dropBoundCookie();
  expect((await owner.get('/admin')).status).toBe(401);
});

test('a process in which it is off makes no browser forget its key', async () => {
  const off = await startApp({ env: { ...https, BOUND_SESSIONS: 'off' }, redisAddress });
  const { status, headers } = await owner.moveTo(off.url).refresh();
  expect([status, headers.get('Retry-After')]).toEqual([503, '5']);
  owner.dropBoundCookie();
  passSeconds(61);
  expect((await owner.get('/admin')).status).toBe(401);
  await owner.prove();
  await expectIn();
});

test('a link on another site leads in: browsers then prove the key without the session cookie', async () => {
  const cookie = owner.cookies.get('__Host-session') ?? '';
  owner.cookies.clear();
  await owner.prove();
  owner.cookies.set('__Host-session', cookie);
  passSeconds(61);
  await expectIn();
});

test('a browser that has logged in again forgets the earlier session only', async () => {
  const { name } = owner;
  await owner.bind();
  expect(owner.name).not.toBe(name);
  expect((await owner.refresh({}, { headers: { 'Sec-Secure-Session-Id': name } })).status).toBe(401);
  await owner.prove();
  await expectIn();
});

test('a browser is told to forget the key once the session has ended', async () => {
  await owner.post('/logout');
  expect([...owner.cookies.keys()]).toEqual([]);
  expect((await owner.refresh()).status).toBe(401);
});

test('proofs are no use of the session: an open tab does not keep it from its idle limit', async () => {
  for (let minutes = 0; minutes < 30; minutes += 5) {
    expect([200, 403]).toContain((await owner.refresh()).status);
    passSeconds(300);
  }
  expect((await owner.refresh()).status).toBe(401);
});

test('a page takes one Redis command, as without the feature', async () => {
  const home = () => owner.get('/');
  await home();
  expect(await commandsFor(app.redis, home)).toEqual({ get: '1' });
});

test('a registration, the first page and a renewal take the documented Redis commands', async () => {
  const browser = new BoundBrowser(app.url);
  await browser.signIn('ann@example.com');
  // Within its script, the first EVAL reads and writes the record.
  const bound = { eval: '1', get: '2', set: '1' };
  expect(await commandsFor(app.redis, () => browser.register())).toEqual(bound);
  expect(await commandsFor(app.redis, () => browser.get('/'))).toEqual(bound);
  expect(await commandsFor(app.redis, () => browser.askForChallenge())).toEqual({ get: '1' });
  expect(await commandsFor(app.redis, () => browser.refresh())).toEqual({ get: '1', eval: '1', set: '2', del: '1' });
});

test('the list of sessions says which ones are bound', async () => {
  const other = new BoundBrowser(app.url, { 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101' });
  const email = 'listed@example.com';
  await other.bind(email);
  const here = new BoundBrowser(app.url);
  await here.bind(email);
  await new BoundBrowser(app.url).signIn(email);
  const { text } = await here.get('/admin');
  expect([text.match(/Bound to this device/g)?.length, text.match(/Bound to its device/g)?.length]).toEqual([1, 1]);
});

test('the record grows by a key of one length', async () => {
  const record = (await app.redis.get(sessionKey(owner.sessionId))) ?? '';
  const [, , line = ''] = record.split('\n');
  expect(line).toMatch(/^\{"binding":"1[\w-]{86}"\}$/);
  expect(read('docs/bound-sessions.md')).toContain(`| ${`\n${line}`.length} bytes more: the public key`);
});

describe.each([
  { where: 'over http', env: { TRUST_PROXY: '1' }, status: 404 },
  { where: 'when it is off', env: { ...https, BOUND_SESSIONS: 'off' }, status: 503 },
])('$where', ({ env, status }) => {
  test('no sign-in asks for a key', async () => {
    const plain = await startApp({ env });
    const browser = new BoundBrowser(plain.url);
    await browser.signIn('ann@example.com');
    expect(browser.invitation).toBeUndefined();
    expect((await browser.post('/bound-session/register')).status).toBe(404);
    expect((await browser.post('/bound-session/refresh')).status).toBe(status);
  });
});
