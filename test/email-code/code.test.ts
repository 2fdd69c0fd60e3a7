import { describe, expect, test } from 'vitest';
import { rateLimits } from '../../src/features/email-code/rate-limits.ts';
import type { Visit, Visitor } from '../support/visitor.ts';
import {
  askedBrowser,
  askForCode,
  challengeKeys,
  enterCode,
  exhaust,
  newAddress,
  newBrowser,
  newIp,
  outcomes,
  signInByCode,
  startCodeApp,
  wrongCode,
} from './code-login.ts';

const app = await startCodeApp();
const { url, mails, redis, logged } = app;
const overHttps = await startCodeApp({ env: { BASE_URL: 'https://login.example.com' }, mails });
const byHttps = { 'X-Forwarded-Proto': 'https' };

const soon = { timeout: 8000 };

function keyOf(browser: Visitor): string {
  return challengeKeys(browser)[0] ?? '';
}

/** How many tries the latest sign-in of a browser has counted. */
async function triesOf(browser: Visitor): Promise<number> {
  return Number((await redis.get(keyOf(browser)))?.split(' ')[6]);
}

function isSignIn({ status, setCookies }: Visit): boolean {
  return status === 303 && setCookies.some((line) => line.startsWith('session=s'));
}

function isOver({ status, text }: Visit): boolean {
  return status === 422 && text.includes('That code can no longer be used.') && text.includes('action="/login"');
}

describe('POST /login', () => {
  test('redirects to a page that asks for the code, and that password managers understand', async () => {
    const { browser, email } = await askedBrowser(app);
    const again = await askForCode(browser, email);
    expect([again.status, again.location]).toEqual([303, '/login/code']);
    const { text } = await browser.get('/login/code');
    expect(text).toContain(email);
    expect(text).toMatch(/<input [^>]*name="code"[^>]*inputmode="numeric"[^>]*autocomplete="one-time-code"/);
    expect(text).toMatch(/action="\/login\/code\/again"/);
    expect(text).toMatch(/href="\/login"/);
  });

  test('signs nobody in and creates no session', async () => {
    const { browser } = await askedBrowser(app);
    expect([...browser.cookies.keys()]).toEqual(['login']);
    expect((await browser.get('/admin')).status).toBe(401);
  });

  test('sets a cookie that lives as long as the code and that no script can read (ASVS 3.3.1 to 3.3.4)', async () => {
    const cookie = (name: string, flags: string) =>
      new RegExp(`^${name}=[\\w-]{36}; Max-Age=600; Path=/; Expires=[^;]+; ${flags}; SameSite=Lax$`);
    const plain = await askForCode(newBrowser(url), newAddress());
    expect(plain.setCookies).toEqual([expect.stringMatching(cookie('login', 'HttpOnly'))]);
    const secure = await askForCode(newBrowser(overHttps.url, byHttps), newAddress());
    expect(secure.setCookies).toEqual([expect.stringMatching(cookie('__Host-login', 'HttpOnly; Secure'))]);
  });
});

describe('the right code', () => {
  test('signs the browser in under a new session id and redirects to next (ASVS 7.2.4)', async () => {
    const { email, browser, code } = await askedBrowser(app);
    const first = await enterCode(browser, code);
    expect([first.status, first.location]).toEqual([303, '/admin']);
    const before = browser.copy();
    const second = await signInByCode(app, browser, email, { count: 2, form: { next: '/admin?tab=2' } });
    expect(second.location).toBe('/admin?tab=2');
    expect(browser.sessionId).not.toBe(before.sessionId);
    expect((await browser.get('/admin')).text).toContain(`Hello ${email}`);
    expect((await before.get('/admin')).status).toBe(401);
    expect(browser.cookies.has('login')).toBe(false);
  });

  test('keeps visitors signed in who asked for it', async () => {
    const { browser, code } = await askedBrowser(app, { remember: 'on' });
    const visit = await enterCode(browser, code);
    expect(visit.setCookies.find((line) => line.startsWith('session='))).toMatch(/Expires=/);
  });

  test.each([
    ['a space', (code: string) => code.replace(/^(.{4})/, '$1 ')],
    ['spaces and line ends around it', (code: string) => `\r\n ${code}\u00a0\t`],
    ['dashes of any kind', (code: string) => code.replace(/^(..)(..)(..)/, '$1-$2\u2013$3\u2014')],
    ['dots', (code: string) => [...code].join('.')],
  ])('may be pasted with %s', async (_what, typed) => {
    const { browser, code } = await askedBrowser(app);
    expect(isSignIn(await enterCode(browser, typed(code)))).toBe(true);
  });

  test('is rejected in another browser, whether that one is waiting for a code or not (ASVS 6.6.2)', async () => {
    const { email, browser, code } = await askedBrowser(app);
    const stranger = newBrowser(url);
    expect(isOver(await enterCode(stranger, code))).toBe(true);
    await askForCode(stranger, email);
    const visit = await enterCode(stranger, code);
    expect(visit.text).toContain('That is not the code.');
    expect(isSignIn(await enterCode(browser, code))).toBe(true);
  });

  test('expires after ten minutes (ASVS 6.5.5)', async () => {
    const { browser, code } = await askedBrowser(app);
    const left = await redis.pTTL(keyOf(browser));
    expect(left).toBeGreaterThan(590_000);
    expect(left).toBeLessThanOrEqual(600_000);
    await enterCode(browser, wrongCode(code));
    expect(await redis.pTTL(keyOf(browser))).toBeLessThanOrEqual(left);
    await redis.pExpire(keyOf(browser), 1);
    await expect.poll(() => redis.exists(keyOf(browser)), soon).toBe(0);
    expect(isOver(await enterCode(browser, code))).toBe(true);
  });
});

describe('a wrong code', () => {
  test('is answered with the number of tries left, and the fifth one ends the sign-in (ASVS 6.6.3)', async () => {
    const { email, browser, code } = await askedBrowser(app);
    for (const [offset, tries] of ['four tries', 'three tries', 'two tries', 'one try'].entries()) {
      const { status, text } = await enterCode(browser, wrongCode(code, offset + 1));
      expect(status).toBe(422);
      expect(text).toContain(
        `That is not the code. If you got several mails, use the newest one. You have ${tries} left.`,
      );
      expect(text).toMatch(/<input id="code"[^>]*\saria-invalid="true" aria-describedby="code-problem"/);
    }
    const fifth = await enterCode(browser, wrongCode(code, 5));
    expect(isOver(fifth)).toBe(true);
    expect(fifth.text).toContain(`value="${email}"`);
    expect(isOver(await enterCode(browser, code))).toBe(true);
  });

  test('that is sent again, as by a reload, costs no try and is answered the same', async () => {
    const { browser, code } = await askedBrowser(app);
    const [first, second] = [wrongCode(code, 1), wrongCode(code, 2)];
    const tries: (string | undefined)[] = [];
    for (const entered of [first, first, first, first, first, first, second, first]) {
      tries.push(/You have (\w+) tr/.exec((await enterCode(browser, entered)).text)?.[1]);
    }
    expect(tries).toEqual([...Array.from({ length: 6 }, () => 'four'), 'three', 'two']);
    expect(isSignIn(await enterCode(browser, code))).toBe(true);
  });

  test('can be followed by the right one on the fifth try', async () => {
    const { browser, code } = await askedBrowser(app);
    for (let tries = 1; tries <= 4; tries += 1) await enterCode(browser, wrongCode(code, tries));
    expect(isSignIn(await enterCode(browser, code))).toBe(true);
  });

  test('is counted exactly: of 100 at once, five are tries (ASVS 6.6.3)', async () => {
    const { browser, code } = await askedBrowser(app);
    const guess = (offset: number) =>
      enterCode(browser.copy(), wrongCode(code, offset), { 'X-Forwarded-For': newIp() });
    const visits = await Promise.all(Array.from({ length: 100 }, (_, position) => guess(position + 1)));
    const left = visits.flatMap(({ text }) => /You have (\w+)/.exec(text)?.[1] ?? []);
    expect(left.sort()).toEqual(['four', 'one', 'three', 'two']);
    expect(visits.filter(isOver)).toHaveLength(96);
    expect(isOver(await enterCode(browser, code))).toBe(true);
  });

  test.each(['', '1234567', '123456789', 'my code', '12345678,12345679', '1'.repeat(5000)])(
    'costs no try if it cannot be a code: %j',
    async (typed) => {
      const { browser, code } = await askedBrowser(app);
      for (let times = 1; times <= 6; times += 1) {
        const { status, text } = await enterCode(browser, typed);
        expect([status, text.includes('Enter the eight digits of the code.')]).toEqual([422, true]);
      }
      expect(await triesOf(browser)).toBe(0);
      expect(isSignIn(await enterCode(browser, code))).toBe(true);
    },
  );

  test.each([[['12345678']], [{ length: 8 }], [12345678], [null]])('is not a code as JSON %j', async (code) => {
    const { browser } = await askedBrowser(app);
    expect((await browser.post('/login/code', { json: { code } })).status).toBe(422);
    expect(await triesOf(browser)).toBe(0);
  });
});

test('an https site mails no code for a request over http, where it could not be used', async () => {
  const email = newAddress();
  expect((await askForCode(newBrowser(overHttps.url), email)).status).toBe(500);
  await askForCode(newBrowser(overHttps.url, byHttps), email);
  expect(await outcomes(overHttps, email, 1)).toEqual({ mailed: 1, withheld: 0 });
});

describe('asking again', () => {
  test('sends a new code, says so, and invalidates the previous one', async () => {
    const { email, browser, code } = await askedBrowser(app);
    const first = browser.copy();
    const visit = await browser.post('/login/code/again');
    expect([visit.status, visit.location]).toEqual([303, '/login/code?sent=again']);
    expect((await browser.get('/login/code?sent=again')).text).toContain('Use the most recent one.');
    expect(isOver(await enterCode(first, code))).toBe(true);
    expect((await enterCode(browser, code)).text).toContain('That is not the code.');
    expect(isSignIn(await enterCode(browser, await mails.codeFor(email, 2)))).toBe(true);
  });

  test('beyond the mail limit leaves the last code valid, and answers the same', async () => {
    const { email, browser, code } = await askedBrowser(app);
    const { mailsPerAddress } = rateLimits;
    const [{ points }] = mailsPerAddress;
    let last = code;
    for (let count = 2; count <= points; count += 1) {
      await browser.post('/login/code/again');
      last = await mails.codeFor(email, count);
    }
    const visit = await browser.post('/login/code/again');
    expect([visit.status, visit.location]).toEqual([303, '/login/code?sent=again']);
    expect(await outcomes(app, email, points + 1)).toEqual({ mailed: points, withheld: 1 });
    expect(isSignIn(await enterCode(browser, last))).toBe(true);
  });

  test('through the login form leaves it valid as well', async () => {
    const { email, browser, code } = await askedBrowser(app);
    await exhaust(app, email);
    await askForCode(browser, email);
    expect(isSignIn(await enterCode(browser, code))).toBe(true);
  });

  test('keeps the page to return to', async () => {
    const { email, browser } = await askedBrowser(app, { next: '/admin?tab=2' });
    await browser.post('/login/code/again');
    expect((await enterCode(browser, await mails.codeFor(email, 2))).location).toBe('/admin?tab=2');
  });

  test('without a pending sign-in leads back to the login form', async () => {
    expect(isOver(await newBrowser(url).post('/login/code/again'))).toBe(true);
  });
});

describe('GET /login/code', () => {
  // Mail scanners open links (better-auth#9690, next-auth#1840).
  test('consumes nothing, however often and wherever it is opened', async () => {
    const { browser, code } = await askedBrowser(app);
    for (let times = 1; times <= 20; times += 1) {
      const visitor = times % 2 ? newBrowser(url) : browser;
      const { status } = await visitor.get(`/login/code?code=${code}`, { method: times % 3 ? 'GET' : 'HEAD' });
      expect(status).toBe(200);
    }
    expect(isSignIn(await enterCode(browser, code))).toBe(true);
  });

  test('in a browser that did not ask for a code says where to enter it, and has no form', async () => {
    const { text } = await newBrowser(url).get('/login/code');
    expect(text).toContain('Enter the code where you asked for it');
    expect(text).not.toContain('name="code"');
  });
});

describe('what is left behind', () => {
  test('in Redis is a keyed hash; the code itself is in no key and no value (ASVS 6.5.2)', async () => {
    const { browser, code } = await askedBrowser(app);
    expect(await redis.get(keyOf(browser))).toMatch(
      /^1 w [\w-]{12} [\w-]{22} 0 - 0 5 \d{13} - person-\d+@example\.com$/,
    );
    // The mail may still be queued, in keys of other types.
    const readers: Record<string, (key: string) => Promise<unknown>> = {
      string: (key) => redis.get(key),
      hash: (key) => redis.hGetAll(key),
      list: (key) => redis.lRange(key, 0, -1),
      set: (key) => redis.sMembers(key),
      zset: (key) => redis.zRange(key, 0, -1),
      none: async () => 'deleted meanwhile',
    };
    const everything: unknown[] = [];
    for (const key of await redis.keys('*')) everything.push(key, await readers[await redis.type(key)]?.(key));
    expect(everything).not.toContain(undefined);
    expect(JSON.stringify(everything)).toContain(keyOf(browser));
    expect(JSON.stringify(everything)).not.toContain(code);
  });

  test('in the log are requests, refusals and sign-ins by tag and handle, but neither codes nor addresses (ASVS 16.3.1)', async () => {
    const { email, browser, code } = await askedBrowser(app);
    const from = logged().length - 1;
    await enterCode(browser, wrongCode(code));
    await enterCode(newBrowser(url), code);
    await enterCode(browser, 'not a code');
    await enterCode(browser, code);
    const hasty = newIp();
    while ((await askForCode(newBrowser(url, { 'X-Forwarded-For': hasty }), email)).status !== 429);
    await mails.mailTo(email, 'notice');
    await expect.poll(() => logged().filter(({ mail }) => mail === 'notice').length, soon).toBeGreaterThan(0);
    const lines = logged().slice(from);
    const said = lines.map(({ msg, reason }) => [msg, reason]);
    expect(said).toContainEqual(['sign-in refused', 'wrong code']);
    expect(said).toContainEqual(['sign-in refused', 'no code is waited for']);
    expect(said).toContainEqual(['sign-in refused', 'not a code']);
    expect(said).toContainEqual(['sign-in refused', 'too often']);
    expect(lines.find(({ msg }) => msg === 'signed in')).toMatchObject({
      session: expect.any(String),
      person: expect.any(String),
    });
    const text = JSON.stringify(logged().map(({ time, ...line }) => line));
    for (const secret of [code, wrongCode(code), email]) expect(text).not.toContain(secret);
  });
});
