import { describe, expect, test } from 'vitest';
import { clients } from '../support/client.ts';
import type { Visit, Visitor } from '../support/visitor.ts';
import {
  askForCode,
  challengeKeys,
  commandsWithoutMail,
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
const { url, mails, redis } = app;

/** A browser in which codes were asked for, the last one for the last address. */
async function waitingFor(count: number, form: Record<string, string> = {}) {
  const ip = newIp();
  const browser = newBrowser(url, { 'X-Forwarded-For': ip });
  const emails = Array.from({ length: count }, () => newAddress());
  for (const email of emails) await askForCode(browser, email, form);
  return { browser, emails, ip };
}

/** Enters a code in the form for one of several sign-ins. */
function enterFor(browser: Visitor, email: string, code: string): Promise<Visit> {
  return browser.post('/login/code', { form: { email, code } });
}

/** The address that the form of a page is for, and the links to the others. */
function shownBy(visit: Visit) {
  const { email } = hiddenFields(visit);
  return {
    email,
    others: [...visit.text.matchAll(/<a href="(\/login\/code\?for=[^"]*)">/g)].map(([, href = '']) => href),
  };
}

function isOver({ status, text }: Visit): boolean {
  return status === 422 && text.includes('That code can no longer be used.');
}

describe('several sign-ins in one browser', () => {
  test('each have a form that says which one it is for, and a code that works there', async () => {
    const { browser, emails } = await waitingFor(2);
    const [ann = '', bob = ''] = emails;
    const latest = shownBy(await browser.get('/login/code'));
    expect([latest.email, latest.others.length]).toEqual([bob, 1]);
    const other = shownBy(await browser.get(latest.others[0] ?? ''));
    expect([other.email, other.others.length]).toEqual([ann, 1]);
    expect((await enterFor(browser, bob, await mails.codeFor(ann))).text).toContain('That is not the code.');
    expect((await enterFor(browser, ann, await mails.codeFor(ann))).status).toBe(303);
    expect((await browser.get('/admin')).text).toContain(`Hello ${ann}`);
    expect((await enterFor(browser, bob, await mails.codeFor(bob))).status).toBe(303);
    expect((await browser.get('/admin')).text).toContain(`Hello ${bob}`);
    expect(browser.cookies.has('login')).toBe(false);
  });

  test('have tries of their own: one that is used up leaves the others', async () => {
    const { browser, emails } = await waitingFor(2);
    const [ann = '', bob = ''] = emails;
    const code = await mails.codeFor(bob);
    for (let tries = 1; tries <= 5; tries += 1) await enterFor(browser, bob, wrongCode(code, tries));
    expect(isOver(await enterFor(browser, bob, code))).toBe(true);
    expect((await enterFor(browser, ann, await mails.codeFor(ann))).status).toBe(303);
  });

  test('lead each to where it was wanted', async () => {
    const browser = newBrowser(url);
    const [ann, bob] = [newAddress(), newAddress()];
    await askForCode(browser, ann, { next: '/admin?of=ann' });
    await askForCode(browser, bob, { next: '/admin?of=bob' });
    expect((await enterFor(browser, ann, await mails.codeFor(ann))).location).toBe('/admin?of=ann');
    expect((await enterFor(browser, bob, await mails.codeFor(bob))).location).toBe('/admin?of=bob');
  });

  test('are at most five, of which the oldest makes way, and one for each address', async () => {
    const { browser, emails } = await waitingFor(6);
    expect(new Set(challengeKeys(browser)).size).toBe(5);
    const [oldest = '', second = ''] = emails;
    expect(isOver(await enterFor(browser, oldest, await mails.codeFor(oldest)))).toBe(true);
    await askForCode(browser, second);
    expect(new Set(challengeKeys(browser)).size).toBe(5);
    expect((await enterFor(browser, second, await mails.codeFor(second, 2))).status).toBe(303);
  });

  test('fit into a cookie, whatever they lead to (ASVS 3.3.5)', async () => {
    const next = `/admin?${'%25'.repeat(650)}`;
    const { browser, emails } = await waitingFor(5, { next });
    const { setCookies } = await askForCode(browser, emails[4] ?? '', { next });
    expect(Math.max(...setCookies.map((line) => line.length))).toBeLessThan(4096);
    expect((await enterFor(browser, emails[4] ?? '', await mails.codeFor(emails[4] ?? '', 2))).location).toBe(next);
  });

  test('take a code from a client that does not say which one it is for', async () => {
    const { browser, emails } = await waitingFor(3);
    const [ann = '', bob = ''] = emails;
    expect((await enterCode(browser, await mails.codeFor(ann))).status).toBe(303);
    expect((await browser.get('/admin')).text).toContain(`Hello ${ann}`);
    const json = await browser.post('/login/code', { json: { code: await mails.codeFor(bob) }, headers: clients.json });
    expect(json.status).toBe(200);
  });

  test('send a new code for the one whose form asks for it', async () => {
    const { browser, emails } = await waitingFor(2);
    const [ann = '', bob = ''] = emails;
    await mails.codeFor(ann);
    await browser.post('/login/code/again', { form: { email: ann } });
    expect(shownBy(await browser.get('/login/code')).email).toBe(ann);
    expect((await enterFor(browser, ann, await mails.codeFor(ann, 2))).status).toBe(303);
    expect((await enterFor(browser, bob, await mails.codeFor(bob))).status).toBe(303);
  });
});

describe('a login cookie', () => {
  test.each([
    ['under a longer name', (value: string) => `xlogin=${value}; x__Host-login=${value}`],
    ['with an id too short', (value: string) => `login=${value.slice(1)}`],
    ['of many ids', (value: string) => `login=${`${'A'.repeat(36)}.`.repeat(100)}${value}`],
    ['with other characters', (value: string) => `login=${value.slice(0, 35)}*`],
    ['of an id of its own making', () => `login=${'A'.repeat(36)}`],
  ])('%s waits for nothing', async (_what, cookieOf) => {
    const email = newAddress();
    const browser = newBrowser(url);
    await askForCode(browser, email);
    const Cookie = cookieOf(browser.cookies.get('login') ?? '');
    const visit = await newBrowser(url, { Cookie }).post('/login/code', { form: { code: await mails.codeFor(email) } });
    expect(isOver(visit)).toBe(true);
  });

  test('that leads to another site leads to the default', async () => {
    const email = newAddress();
    const browser = newBrowser(url);
    await askForCode(browser, email);
    const evil = Buffer.from('//evil.example').toString('base64url');
    browser.cookies.set('login', `${browser.cookies.get('login')}~${evil}`);
    expect((await enterCode(browser, await mails.codeFor(email))).location).toBe('/admin');
  });
});

describe('a browser that is signed in', () => {
  test('and waits for nothing is led on from /login/code by a link, and from the link of the mail', async () => {
    const browser = newBrowser(url);
    await signInByCode(app, browser, newAddress());
    for (const [path, location] of [
      ['/login/code', '/admin'],
      ['/login/code?next=/admin%3Ftab=2', '/admin?tab=2'],
      ['/login/code?next=//evil.example', '/admin'],
    ] as const) {
      const visit = await browser.get(path);
      expect([visit.status, /id="go-on" href="([^"]*)"/.exec(visit.text)?.[1]]).toEqual([200, location]);
    }
  });

  test('and enters a code just used, in a second tab, is led on to where that tab wanted', async () => {
    const email = newAddress();
    const browser = newBrowser(url);
    await signInByCode(app, browser, email);
    const code = await mails.codeFor(email);
    const visit = await browser.post('/login/code', { form: { email, code, next: '/admin?tab=2' } });
    expect([visit.status, visit.location]).toEqual([303, '/admin?tab=2']);
    expect(visit.setCookies).toEqual([]);
  });

  test('is told when the form was for somebody else, whose code is over', async () => {
    const browser = newBrowser(url);
    await signInByCode(app, browser, newAddress());
    const other = newAddress();
    const visit = await enterFor(browser, other, '12345678');
    expect(isOver(visit)).toBe(true);
    expect(visit.text).toContain(`value="${other}"`);
  });

  test('and waits for a code, because it wants to be somebody else, is asked for it', async () => {
    const browser = newBrowser(url);
    await signInByCode(app, browser, newAddress());
    const email = newAddress();
    await askForCode(browser, email);
    expect(shownBy(await browser.get('/login/code')).email).toBe(email);
    expect((await enterCode(browser, '00000000')).text).toContain('That is not the code.');
  });
});

describe('a browser that refuses cookies', () => {
  test('is told so where it should enter the code, and one that has some is not', async () => {
    const asked = await askForCode(newBrowser(url), newAddress());
    expect((await newBrowser(url).get(asked.location ?? '')).text).toContain('Logging in needs cookies');
    const other = await newBrowser(url, { Cookie: 'theme=dark' }).get('/login/code');
    expect(other.text).not.toContain('cookies');
    const { browser } = await waitingFor(1);
    expect((await browser.get('/login/code')).text).not.toContain('cookies');
  });
});

describe('the pages with the login form', () => {
  test.each(['/', '/login'])(
    '%s mention a code that is waited for, at no command for browsers without one',
    async (path) => {
      const { browser, emails } = await waitingFor(1);
      const { text } = await browser.get(path);
      expect(text).toContain(`You asked for a code for ${emails[0]}`);
      expect(text).toContain(`value="${emails[0]}"`);
      expect(await commandsWithoutMail(app, () => newBrowser(url).get(path))).toEqual({});
      expect(await commandsWithoutMail(app, () => browser.get(path))).toEqual({ get: 1 });
    },
  );
});

describe('a client that has to wait (429)', () => {
  test('keeps the form of a code that is still good, and what it typed', async () => {
    const { browser, emails, ip } = await waitingFor(1);
    const code = await mails.codeFor(emails[0] ?? '');
    const counter = `l:guess:600:{${ip}}`;
    await redis.set(counter, '30', { expiration: { type: 'EX', value: 600 } });
    const refused = await enterCode(browser, code);
    const secondsLeft = Math.ceil((await redis.pTTL(counter)) / 1000);
    expect(refused.status).toBe(429);
    const retryAfterSeconds = Number(refused.headers.get('Retry-After'));
    expect(retryAfterSeconds).toBeGreaterThanOrEqual(secondsLeft);
    expect(retryAfterSeconds).toBeLessThanOrEqual(600);
    expect(shownBy(refused).email).toBe(emails[0]);
    expect(refused.text).toContain('Too many attempts. Please try again in 10 minutes.');
    await redis.del(counter);
    expect((await enterCode(browser, code)).status).toBe(303);
  });

  test('keeps the form that asks again, and the login form', async () => {
    const { browser, emails, ip } = await waitingFor(1);
    await redis.set(`l:ask:600:{${ip}}`, '30', { expiration: { type: 'EX', value: 90 } });
    const again = await browser.post('/login/code/again');
    expect([again.status, shownBy(again).email]).toEqual([429, emails[0]]);
    expect(again.text).toContain('Please try again in 2 minutes.');
    const login = await askForCode(browser, emails[0] ?? '', { next: '/admin?x', remember: 'on' });
    expect([login.status, login.text.includes(`value="${emails[0]}"`)]).toEqual([429, true]);
    expect(login.text).toContain('value="/admin?x"');
    expect(login.text).toMatch(/name="remember" checked/);
  });
});
