import { afterEach, describe, expect, test, vi } from 'vitest';
import { sessionKey, tagOf } from '../../src/session/session-id.ts';
import { startApp } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { commandsFor } from '../support/commands.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

const redisAddress = await testRedis();
const app = await startApp({ redisAddress });
const { url, redis } = app;
const email = 'ann@example.com';
const owner = tagOf(email);

const ask = (visitor: Visitor) => visitor.copy().get('/session-owner');

describe('GET /session-owner', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test('names the owner of the session as the pages do, and nobody without one', async () => {
    const visitor = await signedIn(url, email);
    const { status, text, headers, setCookies } = await ask(visitor);
    expect([status, text, headers.get('Cache-Control'), setCookies]).toEqual([200, owner, 'no-store', []]);
    expect((await visitor.get('/')).text).toContain(`data-owner="${owner}"`);
    await visitor.post('/logout');
    expect((await visitor.get('/')).text).toContain('data-owner=""');
    expect((await ask(visitor)).text).toBe('');
  });

  test('does not count as use: however often a tab asks, the session ends after its idle limit', async () => {
    const visitor = await signedIn(url, email);
    const key = sessionKey(visitor.sessionId);
    const [record, now] = [await redis.get(key), Date.now()];
    vi.useFakeTimers({ toFake: ['Date'], now });
    for (let minutes = 0; minutes < 30; minutes += 5) {
      vi.setSystemTime(now + minutes * 60_000);
      expect(await commandsFor(redis, () => ask(visitor))).toEqual({ get: '1' });
      expect((await ask(visitor)).text).toBe(owner);
    }
    expect(await redis.get(key)).toBe(record);
    vi.setSystemTime(now + 30 * 60_000 + 1000);
    expect((await ask(visitor)).text).toBe('');
  });

  // As between a native app and the browser in it; a page would say that it has ended as soon as it is there.
  test.each<[string, (cookie: string) => string]>([
    ['is not percent-encoded', (cookie) => `session=${cookie}`],
    [
      'is encoded in lower case',
      (cookie) => `session=${encodeURIComponent(cookie).replaceAll(/%../g, (code) => code.toLowerCase())}`,
    ],
    ['is encoded more than necessary', (cookie) => `session=${encodeURIComponent(cookie).replace('.', '%2E')}`],
    ['is quoted', (cookie) => `session="${encodeURIComponent(cookie)}"`],
    ['stands between white space', (cookie) => `other=1;\t  session = ${encodeURIComponent(cookie)}\t ; another=1`],
  ])('knows the session of a cookie that %s, as the pages do', async (_form, write) => {
    const visitor = await signedIn(url, email);
    const headers = { Cookie: write(visitor.sessionCookie ?? '') };
    expect((await new Visitor(url).get('/', { headers })).text).toContain(`data-owner="${owner}"`);
    expect((await new Visitor(url).get('/session-owner', { headers })).text).toBe(owner);
  });

  test('believes no cookie that is not signed, and asks Redis nothing about it', async () => {
    const visitor = await signedIn(url, email);
    const cookie = visitor.cookies.get('session') ?? '';
    const forged = [
      ...['', 'x', 's%3A', visitor.sessionId, `s%3A${visitor.sessionId}`, `s%3A${visitor.sessionId}.`],
      ...[cookie.slice(0, -1), `${cookie}x`, cookie.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))],
    ];
    const commands = await commandsFor(redis, async () => {
      for (const value of forged) {
        const stranger = new Visitor(url);
        stranger.cookies.set('session', value);
        expect([value, (await ask(stranger)).text]).toEqual([value, '']);
      }
    });
    expect(commands).toEqual({});
  });

  test('knows a cookie that an older secret signed, until that is removed', async () => {
    const visitor = await signedIn(url, email);
    const secrets = [
      'a newer secret for the tests, of 32 characters',
      'a secret for the tests, of 32 characters and more',
    ];
    const [newer = '', older = ''] = secrets;
    const rotated = await startApp({ redisAddress, secrets: [newer, older] });
    const replaced = await startApp({ redisAddress, secrets: [newer] });
    expect((await visitor.copy(rotated.url).get('/session-owner')).text).toBe(owner);
    expect((await visitor.copy(replaced.url).get('/session-owner')).text).toBe('');
  });

  test('is a 503 when Redis is away, which says nothing about the session', async () => {
    const away = await startApp();
    const visitor = await signedIn(away.url, email);
    await away.redis.sendCommand(['SHUTDOWN', 'NOSAVE']).catch(() => {});
    await expect.poll(async () => (await ask(visitor)).status).toBe(503);
    expect((await visitor.get('/')).text).not.toContain('data-owner');
  });
});
