import { describe, expect, test } from 'vitest';
import { rateLimits } from '../../src/features/email-code/rate-limits.ts';
import { tagOf } from '../../src/session/session-id.ts';
import {
  askedBrowser,
  askForCode,
  challengeKeys,
  commandsWithoutMail,
  enterCode,
  hiddenFields,
  newAddress,
  newBrowser,
  signInByCode,
  startCodeApp,
  wrongCode,
} from './code-login.ts';

const app = await startCodeApp();
const { url, mails, redis, logged } = app;

describe('a sign-in that waits for its code', () => {
  test.each(['/', '/login'])('is mentioned on %s, with a link, and the form has what was typed', async (path) => {
    const { browser, email } = await askedBrowser(app, { remember: 'on' });
    const { text } = await browser.get(path);
    expect(text).toContain(`You asked for a code for ${email}.`);
    expect(text).toMatch(/<a href="\/login\/code"[^>]*>Enter the code<\/a>/);
    expect(text).toContain(`value="${email}"`);
    expect(text).toMatch(/<input type="checkbox"[^>]* name="remember"[^>]* checked/);
    const head = await browser.get(path, { method: 'HEAD' });
    expect(head.headers.get('Content-Length')).toBe(String(Buffer.byteLength(text)));
  });

  test('is looked for where the form is shown to somebody who is not signed in, and nowhere else', async () => {
    const { browser } = await askedBrowser(app);
    const getsFor = async (work: () => Promise<unknown>) => (await commandsWithoutMail(app, work)).get;
    expect(await getsFor(() => browser.get('/'))).toBe(1);
    expect(await getsFor(() => browser.post('/login', { form: { email: 'x' } }))).toBeUndefined();
    await signInByCode(app, browser, newAddress());
    await askForCode(browser, newAddress());
    // For the session.
    expect(await getsFor(() => browser.get('/'))).toBe(1);
  });
});

describe('asking for a code', () => {
  test('for what is no address shows the form again, and is recorded', async () => {
    const browser = newBrowser(url);
    const visit = await askForCode(browser, 'ann', { next: '/admin?tab=2' });
    expect([visit.status, visit.text.includes('That is not an e-mail address.')]).toEqual([422, true]);
    expect(visit.text).toContain('value="ann"');
    expect(browser.cookies.size).toBe(0);
    expect(logged().findLast(({ msg }) => msg === 'sign-in refused')).toMatchObject({ reason: 'not an address' });
  });

  test('once more for the same address replaces the first sign-in', async () => {
    const { browser, email } = await askedBrowser(app);
    const [first = ''] = challengeKeys(browser);
    expect(await redis.exists(first)).toBe(1);
    await askForCode(browser, email);
    expect(await redis.exists(first)).toBe(0);
  });

  test('once more too often is recorded, for the person', async () => {
    const [{ points }] = rateLimits.asksPerClient;
    const { browser, email } = await askedBrowser(app);
    for (let times = 1; times <= points; times += 1) await browser.post('/login/code/again');
    const isAbout = ({ msg, person }: Record<string, unknown>) => msg === 'sign-in refused' && person === tagOf(email);
    expect(logged().filter(isAbout)).toMatchObject([{ reason: 'too often' }]);
  });

  test('is refused over http where the site is https, and so is asking again', async () => {
    const secure = await startCodeApp({ mails, env: { BASE_URL: 'https://login.example.com' } });
    const headers = { 'X-Forwarded-Proto': 'http' };
    const byHttps = newBrowser(secure.url, { 'X-Forwarded-Proto': 'https' });
    const refused = await askForCode(newBrowser(secure.url, headers), newAddress());
    expect([refused.status, refused.text.includes('Open it over https to log in.')]).toEqual([403, true]);
    expect((await askForCode(byHttps, newAddress())).status).toBe(303);
    expect((await byHttps.copy().post('/login/code/again', { headers })).status).toBe(403);
    const email = newAddress();
    await askForCode(byHttps, email);
    const withoutAnswer = byHttps.copy();
    expect((await byHttps.post('/login/code/again', { form: { email } })).status).toBe(303);
    expect((await withoutAnswer.post('/login/code/again', { form: { email }, headers })).status).toBe(403);
  });

  test('costs as many commands for an address that has a sign-in waiting in another browser', async () => {
    const { email } = await askedBrowser(app);
    const again = await commandsWithoutMail(app, () => askForCode(newBrowser(url), email));
    expect(again).toEqual(await commandsWithoutMail(app, () => askForCode(newBrowser(url), newAddress())));
  });
});

test('a code that is over leads back to the form, with what is known of the sign-in', async () => {
  const { browser, email, code } = await askedBrowser(app, { next: '/admin?tab=2', remember: 'on' });
  for (let tries = 1; tries <= 4; tries += 1) await enterCode(browser, wrongCode(code, tries));
  const over = await enterCode(browser, wrongCode(code, 5));
  expect([over.status, over.text.includes('That code can no longer be used.')]).toEqual([422, true]);
  expect(over.text).toContain(`value="${email}"`);
  expect(hiddenFields(over).next).toBe('/admin?tab=2');
  expect(over.text).toMatch(/name="remember"[^>]* checked/);

  // The browser may have dropped the cookie meanwhile.
  for (const path of ['/login/code', '/login/code/again']) {
    const { browser: late } = await askedBrowser(app, { next: '/admin?tab=2', remember: 'on' });
    const page = await late.get('/login/code');
    late.cookies.delete('login');
    const [, form = ''] = new RegExp(`<form[^>]* action="${path}"[^>]*>([\\s\\S]*?)</form>`).exec(page.text) ?? [];
    const lapsed = await late.post(path, { form: { code: '00000000', ...hiddenFields({ text: form }) } });
    expect([lapsed.status, hiddenFields(lapsed).next]).toEqual([422, '/admin?tab=2']);
    expect(lapsed.text).toMatch(/name="remember"[^>]* checked/);
  }

  const unknown = await newBrowser(url).post('/login/code', { form: { code, next: '/admin?tab=3' } });
  expect(hiddenFields(unknown).next).toBe('/admin?tab=3');
  expect(unknown.text).not.toMatch(/name="remember"[^>]* checked/);
});
