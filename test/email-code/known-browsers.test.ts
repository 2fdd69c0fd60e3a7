import { describe, expect, test } from 'vitest';
import { rateLimits } from '../../src/features/email-code/rate-limits.ts';
import { testRedis, testSecret } from '../support/app.ts';
import type { Visit, Visitor } from '../support/visitor.ts';
import {
  askForCode,
  enterCode,
  exhaust,
  newAddress,
  newBrowser,
  outcomes,
  signInByCode,
  startCodeApp,
} from './code-login.ts';

const redisAddress = await testRedis();
const app = await startCodeApp({ redisAddress });
const { url, mails } = app;

function deviceCookie({ setCookies }: Visit): string {
  const line = setCookies.find((candidate) => /^(__Host-)?device=/.test(candidate));
  if (line === undefined) throw new Error('no device cookie was set');
  return line;
}

/** Somebody who has signed in, and out again: what is left of it is the device cookie. */
async function knownBrowser(email: string, at = app): Promise<Visitor> {
  const browser = newBrowser(at.url);
  await signInByCode(at, browser, email);
  await browser.post('/logout');
  expect([...browser.cookies.keys()]).toEqual(['device']);
  return browser;
}

describe('the device cookie', () => {
  test('comes with a sign-in, is HttpOnly and SameSite, and lasts as long as browsers allow (ASVS 3.3.2, 3.3.4)', async () => {
    const visit = await signInByCode(app, newBrowser(url), newAddress());
    const line = deviceCookie(visit);
    expect(line).toMatch(
      /^device=[\w-]{22}\.[\w-]{43}; Max-Age=34560000; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Lax$/,
    );
  });

  test('is __Host- and Secure on https (ASVS 3.3.1, 3.3.3)', async () => {
    const secure = await startCodeApp({ mails, env: { BASE_URL: 'https://login.example.com' } });
    const browser = newBrowser(secure.url, { 'X-Forwarded-Proto': 'https' });
    const visit = await signInByCode(secure, browser, newAddress());
    expect(deviceCookie(visit)).toMatch(
      /^__Host-device=[^;]+; Max-Age=\d+; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/,
    );
    expect([...browser.cookies.keys()].sort()).toEqual(['__Host-device', '__Host-session']);
    await askForCode(browser, newAddress());
    expect([...browser.cookies.keys()]).toContain('__Host-login');
  });

  test('is not set for who only asked, or guessed wrong', async () => {
    const browser = newBrowser(url);
    await askForCode(browser, newAddress());
    await browser.post('/login/code', { form: { code: '00000000' } });
    expect([...browser.cookies.keys()]).toEqual(['login']);
  });

  test('knows five addresses, the last used, and stays far below 4,096 bytes (ASVS 3.3.5)', async () => {
    const browser = newBrowser(url);
    const emails = Array.from({ length: 6 }, () => newAddress());
    let visit: Visit | undefined;
    for (const email of emails) visit = await signInByCode(app, browser, email);
    expect(visit && deviceCookie(visit).length).toBeLessThan(500);
    expect(browser.cookies.get('device')?.split('.')).toHaveLength(10);
    const [oldest = '', second = ''] = emails;
    for (const email of [oldest, second]) {
      await exhaust(app, email);
      await askForCode(browser.copy(), email);
    }
    expect(await outcomes(app, second, 7)).toEqual({ mailed: 6, keptBack: 1 });
    expect(await outcomes(app, oldest, 7)).toEqual({ mailed: 5, keptBack: 2 });
  });

  test('signs nobody in, and lets nobody see a session', async () => {
    const browser = await knownBrowser(newAddress());
    expect((await browser.get('/admin')).status).toBe(401);
    expect((await browser.get('/')).text).not.toContain('Hello');
    expect((await browser.post('/login/code', { form: { code: '00000000' } })).status).toBe(422);
  });
});

describe('a browser that is known (ASVS 6.1.1)', () => {
  test('has a count of its own, and that one is limited, too', async () => {
    const email = newAddress();
    const browser = await knownBrowser(email);
    await exhaust(app, email);
    const before = await outcomes(app, email, 6);
    const { points } = rateLimits.mailsPerDevice[0];
    for (let wishes = 1; wishes <= points + 2; wishes += 1) await askForCode(browser, email);
    const after = await outcomes(app, email, 6 + points + 2);
    expect(after.mailed - before.mailed).toBe(points);
  });

  test('gets no second count by leaving the cookie out between asking and entering the code', async () => {
    const email = newAddress();
    const browser = await knownBrowser(email);
    const [id] = browser.cookies.get('device')?.split('.') ?? [];
    await askForCode(browser, email);
    browser.cookies.delete('device');
    await enterCode(browser, await mails.codeFor(email, 2));
    expect(browser.cookies.get('device')?.split('.')[0]).toBe(id);
  });

  test('is known still, once the secret has been rotated', async () => {
    const email = newAddress();
    const browser = await knownBrowser(email);
    const old = browser.cookies.get('device');
    const secrets: [string, string] = ['a newer secret for the tests, of 32 characters', testSecret];
    const rotated = await startCodeApp({ mails, redisAddress, secrets });
    const there = browser.copy(rotated.url);
    await exhaust(app, email);
    await signInByCode(rotated, there, email, { count: 6 });
    expect(there.cookies.get('device')).not.toBe(old);
    expect(there.cookies.get('device')).toHaveLength(old?.length ?? 0);
  });
});

describe('a device cookie that is forged or of somebody else gives nothing (ASVS 6.1.1)', () => {
  test.each<[string, (own: string, foreign: string) => string]>([
    ['of another address', (_own, foreign) => foreign],
    ["with another browser's id", (own, foreign) => [foreign.split('.')[0], own.split('.')[1]].join('.')],
    ['with an id of its own making', (own) => `${'A'.repeat(22)}.${own.split('.')[1]}`],
    ['with a signature that was changed', (own) => own.slice(0, -2) + (own.endsWith('AA') ? 'BB' : 'AA')],
    ['without a signature', (own) => own.split('.')[0] ?? ''],
    ['with a signature that was cut', (own) => own.slice(0, -1)],
    ['with too many signatures', (own) => own + `.${'A'.repeat(43)}`.repeat(5)],
    ['with more behind it', (own) => `${own}x`],
    ['that is nothing of the kind', () => 'true'],
    ['that is empty', () => ''],
  ])('%s', async (_what, forge) => {
    const email = newAddress();
    const own = (await knownBrowser(email)).cookies.get('device') ?? '';
    const foreign = (await knownBrowser(newAddress())).cookies.get('device') ?? '';
    await exhaust(app, email);
    const forger = newBrowser(url);
    forger.cookies.set('device', forge(own, foreign));
    await askForCode(forger, email);
    // The owner's first and four more; then the hour was over, for the forger as well.
    expect(await outcomes(app, email, 7)).toEqual({ mailed: 5, keptBack: 2 });
  });
});
