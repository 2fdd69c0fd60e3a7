import { describe, expect, test } from 'vitest';
import { rateLimits } from '../../src/features/email-code/rate-limits.ts';
import { clients } from '../support/client.ts';
import type { Visit } from '../support/visitor.ts';
import {
  askedBrowser,
  askForCode,
  enterCode,
  hiddenFields,
  newAddress,
  newBrowser,
  newIp,
  signInByCode,
  startCodeApp,
  wrongCode,
} from './code-login.ts';

const app = await startCodeApp();
const { url, logged } = app;

function lastReason(): unknown {
  return logged().findLast(({ msg }) => msg === 'sign-in refused')?.reason;
}

describe('the page that asks for a code', () => {
  test('says that another one is on its way, but only after that was asked for', async () => {
    const { browser } = await askedBrowser(app);
    expect((await browser.get('/login/code')).text).not.toContain('A new code is on its way');
    const again = await browser.post('/login/code/again');
    expect((await browser.get(again.location ?? '')).text).toContain('A new code is on its way');
    expect((await browser.get('/login/code?sent=once')).text).not.toContain('A new code is on its way');
  });

  test('tells a browser that sent no cookie at all that it has refused ours', async () => {
    expect((await newBrowser(url).get('/login/code')).text).toContain('has refused our cookie');
    const { text } = await newBrowser(url, { Cookie: 'a=1' }).get('/login/code');
    expect(text).toContain('This browser is not waiting for a code.');
    expect(text).not.toContain('has refused our cookie');
  });

  // A redirect would carry the code that a mail's link has in its fragment to the next address.
  test('leads on by a link where the visitor is signed in and nothing waits', async () => {
    const browser = newBrowser(url);
    await signInByCode(app, browser, newAddress());
    const leadsTo = ({ status, text }: Visit) => [status, /id="go-on" href="([^"]*)"/.exec(text)?.[1]];
    expect(leadsTo(await browser.get('/login/code'))).toEqual([200, '/admin']);
    expect(leadsTo(await browser.get('/login/code?next=/admin?tab=2'))).toEqual([200, '/admin?tab=2']);
    const { browser: other, code, email } = await askedBrowser(app, { next: '/admin?tab=3' });
    const tab = other.copy();
    await enterCode(other, code);
    tab.cookies.set('session', other.cookies.get('session') ?? '');
    // Its own cookie still names the sign-in, which is over.
    expect(leadsTo(await tab.get('/login/code'))).toEqual([200, '/admin?tab=3']);
    await askForCode(other, email);
    expect(leadsTo(await other.get('/login/code'))).toEqual([200, undefined]);
  });
});

describe('a code that is entered', () => {
  test('costs no try if it is none, and stays in the field if it is short', async () => {
    const { browser, code } = await askedBrowser(app);
    expect((await enterCode(browser, 'x'.repeat(100))).text).toContain(`value="${'x'.repeat(100)}"`);
    expect((await enterCode(browser, 'y'.repeat(101))).text).not.toContain('yyy');
    expect((await browser.post('/login/code', { json: { code: 12345678 } })).status).toBe(422);
    expect(lastReason()).toBe('not a code');
    expect((await enterCode(browser, wrongCode(code))).text).toContain('You have four tries left.');
    expect(lastReason()).toBe('wrong code');
  });

  test.each(['no code', '12345678'])(
    'where none is waited for (%s) leads to the form, and is recorded',
    async (code) => {
      const visit = await enterCode(newBrowser(url), code);
      expect([visit.status, visit.text.includes('That code can no longer be used.')]).toEqual([422, true]);
      expect(lastReason()).toBe('no code is waited for');
    },
  );

  test('in a second tab, after the first has signed in, leads on', async () => {
    const { browser, code, email } = await askedBrowser(app);
    await enterCode(browser, code);
    for (const form of [{ code: 'x' }, { code: 'x', email, next: '/admin?tab=2' }]) {
      const visit = await browser.post('/login/code', { form });
      expect([visit.status, visit.location]).toEqual([303, 'next' in form ? form.next : '/admin']);
    }
    const other = await browser.post('/login/code', { form: { code: 'x', email: newAddress() } });
    expect(other.status).toBe(422);
  });

  test('and is over is recorded as over', async () => {
    const { browser, code } = await askedBrowser(app);
    for (let tries = 1; tries <= 5; tries += 1) await enterCode(browser, wrongCode(code, tries));
    expect(lastReason()).toBe('code no longer good');
  });

  test('after a logout is over, and recorded', async () => {
    const { browser, code } = await askedBrowser(app);
    const copy = browser.copy();
    await enterCode(browser, code);
    await browser.post('/logout');
    expect((await enterCode(copy, code)).status).toBe(422);
    expect(lastReason()).toBe('code no longer good');
  });

  test('too often is refused, whether a sign-in waits or not, and recorded', async () => {
    const ip = newIp();
    const browser = newBrowser(url, { 'X-Forwarded-For': ip });
    const email = newAddress();
    await askForCode(browser, email, { next: '/admin?tab=2' });
    const [{ points }] = rateLimits.guessesPerClient;
    // None of these is for a sign-in, so none uses up a try.
    const id = 'A'.repeat(36);
    const guessing = newBrowser(url, { 'X-Forwarded-For': ip, Cookie: `login=${id}` });
    for (let guesses = 1; guesses <= points; guesses += 1) await enterCode(guessing, '12345678');
    const refused = await enterCode(browser, '12345678');
    expect(refused.status).toBe(429);
    expect(hiddenFields(refused)).toMatchObject({ email, next: '/admin?tab=2' });
    expect(lastReason()).toBe('too often');
    const unknown = await guessing.post('/login/code', { form: { code: '12345678', email: 'ann@example.com' } });
    expect(unknown.status).toBe(422);
    const none = await guessing.post('/login/code', { json: { code: '12345678' }, headers: clients.json });
    expect([none.status, lastReason()]).toEqual([429, 'too often']);
  });
});
