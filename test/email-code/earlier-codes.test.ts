import { createHmac, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { testSecret } from '../support/app.ts';
import { enterCode, newAddress, newBrowser, startCodeApp, wrongCode } from './code-login.ts';

const { url, redis } = await startCodeApp();
const code = '12345678';

/** A browser that waits for a code of version 0.1, as that version kept it. */
async function waitingSince01(changes: Record<string, string> = {}, data: Record<string, unknown> = {}) {
  const email = newAddress();
  const random = randomBytes(16).toString('base64url');
  const [key, salt] = [`c:${random}`, 'the-salt'];
  const stored = { email, remember: true, next: '/admin?tab=2', ...data };
  await redis.hSet(key, {
    ...{ salt, hash: createHmac('sha256', testSecret).update(`code:${salt}:${code}`).digest('base64url') },
    ...{ tries_good_for: '5', until: String(Date.now() + 300_000), data: JSON.stringify(stored), ...changes },
  });
  await redis.pExpire(key, 300_000);
  const browser = newBrowser(url, {});
  browser.cookies.set('login', random);
  return { browser, email, key };
}

test('a code of version 0.1 is shown without being taken, and signs in once', async () => {
  const { browser, email, key } = await waitingSince01();
  const shown = browser.copy();
  expect((await shown.get('/login/code')).text).toContain(email);
  expect(await redis.exists(key)).toBe(1);
  const [record = ''] = await redis.keys(`c:{*}${key.slice(2)}`);
  expect(await redis.get(record)).toMatch(/^1 w the-salt - 1 - 0 5 \d+ - person-\d+@example\.com$/);
  const recordMs = await redis.pTTL(record);
  expect(recordMs).toBeGreaterThanOrEqual(await redis.pTTL(key));
  expect(recordMs).toBeLessThanOrEqual(300_000);
  // Shown again, it is as it was left.
  await redis.set(record, String(await redis.get(record)).replace(' - 0 5 ', ' - 1 4 '), { expiration: 'KEEPTTL' });
  await shown.get('/login/code');
  expect(await redis.get(record)).toContain(' - 1 4 ');

  const visit = await enterCode(browser, code);
  expect([visit.status, visit.location]).toEqual([303, '/admin?tab=2']);
  expect(visit.setCookies.find((cookie) => cookie.startsWith('session='))).toMatch(/Expires=/);
  expect(await redis.exists(key)).toBe(0);
  expect((await enterCode(shown, code)).status).toBe(422);
});

test('tries that were used stay used, and what is entered is kept in the new cookie', async () => {
  const { browser } = await waitingSince01({ tries: '3' });
  expect((await enterCode(browser, wrongCode(code))).text).toContain('You have one try left.');
  expect(browser.cookies.get('login')).toMatch(/^[\w-]{36}~/);
  expect((await enterCode(browser, code)).status).toBe(303);
});

test('a code with no tries left is over', async () => {
  const { browser } = await waitingSince01({ tries: '7' });
  expect((await enterCode(browser, code)).status).toBe(422);
});

test('the browser that asked stays the one that was known', async () => {
  const deviceId = 'D'.repeat(22);
  const { browser, key } = await waitingSince01({}, { deviceId, remember: false });
  await browser.copy().get('/login/code');
  const [record = ''] = await redis.keys(`c:{*}${key.slice(2)}`);
  expect(await redis.get(record)).toContain(` - 0 ${deviceId} 0 5 `);
});

test.each([
  ['no JSON', { data: '{' }],
  ['no address', { data: JSON.stringify({ email: 'ann', remember: true, next: '/' }) }],
  ['no next', { data: JSON.stringify({ email: 'ann@example.com', remember: true }) }],
  ['a short hash', { hash: 'x' }],
  ['a salt in two words', { salt: 'a b' }],
  ['no number of tries', { tries_good_for: 'many' }],
])('a record with %s counts as none', async (_what, changes) => {
  const { browser, key } = await waitingSince01(changes);
  expect((await browser.get('/login/code')).text).not.toContain('name="email"');
  expect((await enterCode(browser, code)).status).toBe(422);
  expect(await redis.keys(`c:{*}${key.slice(2)}`)).toEqual([]);
});

test('what is no record of version 0.1 is left alone', async () => {
  const browser = newBrowser(url);
  browser.cookies.set('login', 'A'.repeat(22));
  expect((await browser.get('/login/code')).status).toBe(200);
  await redis.set(`c:${'A'.repeat(22)}`, 'text');
  expect((await browser.get('/login/code')).status).toBe(200);
  expect((await enterCode(browser, code)).status).toBe(422);
  expect(await redis.get(`c:${'A'.repeat(22)}`)).toBe('text');
});
