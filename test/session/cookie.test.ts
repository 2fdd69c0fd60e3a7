import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { SessionSecrets } from '../../src/session/cookie.ts';
import { newSessionId, sessionKey, tagOf } from '../../src/session/session-id.ts';
import { startApp, testSecret } from '../support/app.ts';
import { keepOutOfLogs } from '../support/secrets.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

const redisAddress = await testRedis();
const app = await startApp({ redisAddress });
const newSecret = 'a newer secret for the tests, of 32 characters and more';

async function signedIn(): Promise<Visitor> {
  const visitor = new Visitor(app.url);
  await visitor.signIn('ann@example.com');
  return visitor;
}

describe('when the secret is rotated (express-session#591)', () => {
  test('a visitor stays signed in, and gets the cookie back signed by the new secret', async () => {
    const visitor = await signedIn();
    const both = await startApp({ redisAddress, secrets: [newSecret, testSecret] });
    const moved = visitor.copy(both.url);
    const { status, setCookies } = await moved.get('/admin');
    expect(status).toBe(200);
    expect(setCookies).toHaveLength(1);
    expect(setCookies[0]).toMatch(/^session=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/);
    expect((await moved.get('/admin')).setCookies).toEqual([]);
    expect((await new Visitor(both.url).get('/')).setCookies).toEqual([]);

    const newOnly = await startApp({ redisAddress, secrets: [newSecret] });
    expect((await moved.copy(newOnly.url).get('/admin')).status).toBe(200);
    expect((await visitor.copy(newOnly.url).get('/admin')).status).toBe(401);
  });

  test('a persistent cookie stays persistent', async () => {
    const visitor = new Visitor(app.url);
    await visitor.signIn('ann@example.com', { remember: 'on' });
    const both = await startApp({ redisAddress, secrets: [newSecret, testSecret] });
    expect((await visitor.copy(both.url).get('/')).setCookies).toEqual([expect.stringContaining('Expires=')]);
  });

  test('"end all others" still reaches earlier sessions', async () => {
    const before = await signedIn();
    const both = await startApp({ redisAddress, secrets: [newSecret, testSecret] });
    const after = new Visitor(both.url);
    await after.signIn('ann@example.com');
    await after.post('/admin/end-other-sessions');
    expect((await before.get('/admin')).status).toBe(401);
  });
});

// After a leak, the old secret is not kept in the list, and everything that it signed ends with it.
describe('when the secret is replaced', () => {
  test('every cookie that it signed is invalid, and none is signed again', async () => {
    const remembered = new Visitor(app.url);
    await remembered.signIn('ann@example.com', { remember: 'on' });
    const visitors = [await signedIn(), remembered];
    const replaced = await startApp({ redisAddress, secrets: [newSecret] });
    for (const visitor of visitors) {
      const there = visitor.copy(replaced.url);
      for (const path of ['/admin', '/']) {
        const { text, setCookies } = await there.get(path);
        expect([path, text.includes('ann@example.com'), setCookies]).toEqual([path, false, []]);
      }
      expect((await there.get('/admin')).status).toBe(401);
      expect((await there.post('/admin/end-other-sessions')).status).toBe(401);
    }
    // Their sessions still exist, so it is the signature alone that keeps these visitors out.
    for (const visitor of visitors) expect((await visitor.get('/admin')).status).toBe(200);
  });

  test('the same holds for any one of several secrets', async () => {
    const visitor = await signedIn();
    const secrets = [newSecret, 'another secret for the tests, of 32 characters and more'] as const;
    const withOld = await startApp({ redisAddress, secrets: [...secrets, testSecret] });
    expect((await visitor.copy(withOld.url).get('/admin')).status).toBe(200);
    const without = await startApp({ redisAddress, secrets: [...secrets] });
    expect((await visitor.copy(without.url).get('/admin')).status).toBe(401);
  });
});

/** The value of a cookie as express-session signs it. */
function sign(id: string, secret = testSecret): string {
  return `s:${id}.${createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '')}`;
}

test('a cookie can be read by express-session', async () => {
  const visitor = await signedIn();
  expect(decodeURIComponent(visitor.sessionCookie ?? '')).toBe(sign(visitor.sessionId));
});

// Browsers return a cookie as they got it; other clients may decode it, or encode it in another way.
describe.each<[string, SessionSecrets]>([
  ['one secret', [testSecret]],
  ['two secrets', [testSecret, newSecret]],
])('with %s, no new cookie is sent to a client whose cookie', (_count, secrets) => {
  test.each<[string, (cookie: string) => string]>([
    ['is not percent-encoded', (cookie) => cookie],
    [
      'is encoded in lower case',
      (cookie) => encodeURIComponent(cookie).replaceAll(/%../g, (code) => code.toLowerCase()),
    ],
    ['is encoded more than necessary', (cookie) => encodeURIComponent(cookie).replace('.', '%2E')],
    ['comes with others that are encoded wrongly', (cookie) => `${cookie}; x=100%; y=%E0%A4%A`],
  ])('%s', async (_form, write) => {
    const visitor = await signedIn();
    const { url } = await startApp({ redisAddress, secrets });
    const headers = { Cookie: `session=${write(visitor.sessionCookie ?? '')}` };
    const { status, setCookies } = await new Visitor(url).get('/admin', { headers });
    expect([status, setCookies]).toEqual([200, []]);
  });
});

test('a cookie that is not percent-encoded is renewed if an older secret signed it', async () => {
  const visitor = await signedIn();
  const { url } = await startApp({ redisAddress, secrets: [newSecret, testSecret] });
  const headers = { Cookie: `session=${visitor.sessionCookie}` };
  const { status, setCookies } = await new Visitor(url).get('/admin', { headers });
  expect([status, setCookies.length]).toEqual([200, 1]);
});

describe('a visitor is simply signed out by', () => {
  const forged: [string, (cookie: string, id: string) => string][] = [
    ['an empty cookie', () => ''],
    ['a cookie without a signature', (_cookie, id) => id],
    ['a truncated cookie', (cookie) => cookie.slice(0, -3)],
    ['a changed signature', (cookie) => cookie.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))],
    ['a changed id', (cookie) => cookie.replace(/s:./, (start) => `s:${start.at(-1) === 'A' ? 'B' : 'A'}`)],
    ['a cookie signed by a stranger', (_cookie, id) => sign(id, newSecret)],
    ['an id that nobody was given', () => sign(newSessionId(tagOf('ann@example.com')))],
    ['a signed id of another shape', () => sign('../../etc/passwd')],
    ['a signed empty id', () => sign('')],
    ['an oversized cookie', () => `s:${'a'.repeat(7000)}`],
    ['percent signs that are no encoding', () => '%E0%A4%A'],
  ];
  // ASVS 7.2.1
  test.each(forged)('%s', async (_name, forge) => {
    const visitor = await signedIn();
    const stolen = new Visitor(app.url);
    const cookie = forge(visitor.sessionCookie ?? '', visitor.sessionId);
    if (cookie !== '') keepOutOfLogs(cookie);
    stolen.cookies.set('session', cookie.startsWith('%') ? cookie : encodeURIComponent(cookie));
    expect((await stolen.get('/admin')).status).toBe(401);
    expect((await stolen.get('/')).status).toBe(200);
    expect((await visitor.get('/admin')).status).toBe(200);
  });

  const corrupt: [string, string][] = [
    ['text', 'corrupt'],
    ['nothing', ''],
    ['an older shape', '6b0f3a2c{"e":"ann@example.com","s":1900000000}'],
    ['one moment only', '6b0f3a2c0ann@example.com\nFirefox'],
    ['moments that are none', '00000000000000000ann@example.com\nFirefox'],
    ["somebody else's address", '6b0f3a2c6b0f3a2c0eve@example.com\nFirefox'],
    ['no address', '6b0f3a2c6b0f3a2c0\nFirefox'],
    ['JSON that breaks off', '6b0f3a2c6b0f3a2c0ann@example.com\nFirefox\n{"cart":'],
    ['a newer shape', '6b0f3a2c6b0f3a2c2ann@example.com\nFirefox'],
    ['JSON that is no object', '6b0f3a2c6b0f3a2c0ann@example.com\nFirefox\n["cart"]'],
    ["the textbook's shape", '{"cookie":{"originalMaxAge":null},"email":"ann@example.com"}'],
  ];
  test.each(corrupt)('a stored session of %s, with one log line', async (_name, stored) => {
    const visitor = await signedIn();
    await app.redis.set(sessionKey(visitor.sessionId), stored);
    const before = app.logged().length;
    expect((await visitor.copy().get('/admin')).status).toBe(401);
    const lines = app.logged().slice(before);
    expect(lines.filter(({ msg }) => String(msg).includes('corrupt'))).toHaveLength(1);
    await visitor.signIn('ann@example.com');
    expect((await visitor.get('/admin')).status).toBe(200);
  });

  test('a stored session of another Redis type, with one log line', async () => {
    const visitor = await signedIn();
    const key = sessionKey(visitor.sessionId);
    await app.redis.del(key);
    await app.redis.hSet(key, 'email', 'ann@example.com');
    const before = app.logged().length;
    expect((await visitor.copy().get('/admin')).status).toBe(401);
    const lines = app.logged().slice(before);
    expect(lines.filter(({ msg }) => String(msg).includes('corrupt'))).toHaveLength(1);
    await visitor.signIn('ann@example.com');
    expect((await visitor.get('/admin')).status).toBe(200);
  });
});
