import { describe, expect, test } from 'vitest';
import { triesPerCode } from '../../src/features/email-code/challenges.ts';
import { rateLimits } from '../../src/features/email-code/rate-limits.ts';
import { repeatSeconds } from '../../src/features/repeated-forms/repeated-forms.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { afterwards } from '../support/afterwards.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { testRedis } from '../support/test-redis.ts';
import type { Visit, Visitor } from '../support/visitor.ts';
import {
  askedBrowser,
  askForCode,
  challengeKeys,
  counterKey,
  enterCode,
  hiddenFields,
  newAddress,
  newBrowser,
  newIp,
  outcomes,
  startCodeApp,
  wrongCode,
} from './code-login.ts';

const redisAddress = await testRedis();
const app = await startCodeApp({ redisAddress });
const { url, mails, redis } = app;
const elsewhere = await startCodeApp({ redisAddress, mails });

/** Copies of a browser's request, at the two processes in turn. */
function copies(browser: Visitor, count: number): Visitor[] {
  return Array.from({ length: count }, (_, position) => browser.copy(position % 2 === 0 ? url : elsewhere.url));
}

function sessionOf({ setCookies }: Visit): string | undefined {
  return setCookies.flatMap((line) => /^session=(s%3A[^;]+)/.exec(line)?.[1] ?? [])[0];
}

function isOver({ status, text }: Visit): boolean {
  return status === 422 && text.includes('That code can no longer be used.');
}

function countSessions(email: string): Promise<number> {
  return redis.zCard(tagOf(email));
}

function notices(email: string): number {
  return mails.inbox.filter(({ to, mail }) => to.includes(email) && mail.subject?.startsWith('New sign-in')).length;
}

describe('the right code, sent again by the same browser (ASVS 6.5.1)', () => {
  test('20 times at once, to two processes, ends in one session, which all of them get', async () => {
    const { email, browser, code } = await askedBrowser(app);
    const senders = copies(browser, 20);
    const visits = await Promise.all(senders.map((sender) => enterCode(sender, code)));
    expect(visits.map(({ status, location }) => [status, location])).toEqual(visits.map(() => [303, '/admin']));
    expect(new Set(visits.map(sessionOf)).size).toBe(1);
    expect(sessionOf(visits[0] as Visit)).toBeDefined();
    expect(new Set(senders.map((sender) => sender.cookies.get('device'))).size).toBe(1);
    expect(await countSessions(email)).toBe(1);
    for (const sender of senders) expect((await sender.get('/admin')).status).toBe(200);
    await mails.mailTo(email, 'notice');
    expect(notices(email)).toBe(1);
  });

  test('from 100 places at once ends in one session as well, however many are refused', async () => {
    const { email, browser, code } = await askedBrowser(app);
    const visits = await Promise.all(
      copies(browser, 100).map((sender) => enterCode(sender, code, { 'X-Forwarded-For': newIp() })),
    );
    expect(new Set(visits.map(sessionOf)).size).toBe(1);
    expect(await countSessions(email)).toBe(1);
  });

  test('because the first answer was lost, brings the session and the device, and no second notice', async () => {
    const { email, browser, code } = await askedBrowser(app, { next: '/admin?tab=2', remember: 'on' });
    const lost = await enterCode(browser.copy(), code);
    const again = await enterCode(browser, code);
    expect([again.status, again.location]).toEqual([303, '/admin?tab=2']);
    expect(sessionOf(again)).toBe(sessionOf(lost));
    expect(again.setCookies.find((line) => line.startsWith('session='))).toMatch(/Max-Age=1209[56]\d\d;/); // feature: cookie-max-age
    expect([...browser.cookies.keys()].sort()).toEqual(['device', 'session']);
    await mails.mailTo(email, 'notice');
    expect(notices(email)).toBe(1);
  });

  test('gets nothing once that session has ended, whoever ended it', async () => {
    const { browser, code } = await askedBrowser(app);
    const [repeat, late] = copies(browser, 2) as [Visitor, Visitor];
    await enterCode(browser, code);
    await browser.post('/logout');
    for (const sender of [repeat, late]) {
      const visit = await enterCode(sender, code);
      expect([isOver(visit), sessionOf(visit)]).toEqual([true, undefined]);
      expect((await sender.get('/admin')).status).toBe(401);
    }
  });

  test('gets nothing after half a minute', async () => {
    const { browser, code } = await askedBrowser(app);
    const late = browser.copy();
    await enterCode(browser, code);
    await redis.del(await redis.keys('c:*'));
    expect(isOver(await enterCode(late, code))).toBe(true);
  });

  test('is worth nothing in another browser, nor with another code', async () => {
    const { email, browser, code } = await askedBrowser(app);
    const [repeat, guesser] = copies(browser, 2) as [Visitor, Visitor];
    await enterCode(browser, code);
    expect(isOver(await enterCode(newBrowser(url), code))).toBe(true);
    const stranger = newBrowser(url);
    await askForCode(stranger, email);
    expect(sessionOf(await enterCode(stranger, code))).toBeUndefined();
    for (let tries = 1; tries < triesPerCode; tries += 1) {
      expect(isOver(await enterCode(guesser.copy(), wrongCode(code, tries)))).toBe(true);
    }
    expect(sessionOf(await enterCode(repeat, code))).toBeDefined();
  });

  test('waits for a session that the first one is still storing', async () => {
    const link = await startTcpProxy({ path: redisAddress.socketPath });
    afterwards(link.close);
    const slow = await startCodeApp({ mails, redisAddress: { url: `redis://127.0.0.1:${link.port}` } });
    const { browser, code } = await askedBrowser(app);
    const [key = ''] = challengeKeys(browser);
    link.delayMs = 100;
    const first = enterCode(browser.copy(slow.url), code);
    await expect.poll(() => redis.get(key), { timeout: 8000, interval: 2 }).toMatch(/^1 u/);
    const second = await enterCode(browser, code);
    expect(second.status).toBe(303);
    expect(sessionOf(second)).toBe(sessionOf(await first));
  });

  test('signs in where the first one could not store its session, once', async () => {
    const link = await startTcpProxy({ path: redisAddress.socketPath });
    afterwards(link.close);
    const failing = await startCodeApp({ mails, redisAddress: { url: `redis://127.0.0.1:${link.port}` } });
    const { email, browser, code } = await askedBrowser(app);
    const [key = ''] = challengeKeys(browser);
    link.delayMs = 100;
    const first = enterCode(browser.copy(failing.url), code);
    await expect.poll(() => redis.get(key), { timeout: 8000, interval: 2 }).toMatch(/^1 u/);
    link.blackHole();
    expect((await first).status).toBe(503);
    const [second, third, late] = copies(browser, 3) as [Visitor, Visitor, Visitor];
    const visits = [await enterCode(second, code), await enterCode(third, code)];
    expect(visits.map(({ status }) => status)).toEqual([303, 303]);
    expect(new Set(visits.map(sessionOf)).size).toBe(1);
    expect([await countSessions(email), (await third.get('/admin')).status]).toEqual([1, 200]);
    await mails.mailTo(email, 'notice');
    expect(notices(email)).toBe(1);
    await third.post('/logout');
    expect(isOver(await enterCode(late, code))).toBe(true);
  });
});

describe('the login form, sent again by the same browser', () => {
  test('at once, before any cookie is there, sends one mail, and the code works with each answer', async () => {
    const email = newAddress();
    const browser = newBrowser(url);
    const form = { ...hiddenFields(await browser.get('/login')), email };
    const senders = copies(browser, 10);
    const visits = await Promise.all(senders.map((sender) => sender.post('/login', { form })));
    expect(visits.map(({ status }) => status)).toEqual(visits.map(() => 303));
    expect(new Set(senders.map((sender) => sender.cookies.get('login'))).size).toBe(1);
    const code = await mails.codeFor(email);
    expect(sessionOf(await enterCode(senders[9] as Visitor, code))).toBeDefined();
    expect(await redis.get(counterKey(email, 'mail:3600'))).toBe('1');
  });

  test('with another address in it is another request', async () => {
    const browser = newBrowser(url);
    const form = hiddenFields(await browser.get('/login'));
    for (const email of [newAddress(), newAddress()]) {
      await browser.post('/login', { form: { ...form, email } });
      await mails.codeFor(email);
    }
  });

  test('with the other choice to stay signed in is another request', async () => {
    const email = newAddress();
    const browser = newBrowser(url);
    const form = { ...hiddenFields(await browser.get('/login')), email };
    await browser.post('/login', { form });
    await browser.post('/login', { form: { ...form, remember: 'on' } });
    await enterCode(browser, await mails.codeFor(email, 2));
    expect((await browser.get('/admin')).text).toContain('until you have been away for 14 days');
  });

  test('from another place or browser is another request, even if somebody copied the page', async () => {
    const email = newAddress();
    const browser = newBrowser(url);
    const form = { ...hiddenFields(await browser.get('/')), email };
    const thieves = [newBrowser(url), newBrowser(url, { 'User-Agent': 'curl/8' })];
    const senders = [browser, ...thieves];
    for (const sender of senders) await sender.post('/login', { form });
    expect(new Set(senders.map((sender) => sender.cookies.get('login'))).size).toBe(3);
    expect(await outcomes(app, email, 3)).toEqual({ mailed: 3, withheld: 0 });
  });

  test('has a name of its own each time it is shown', async () => {
    const forms = [await newBrowser(url).get('/login'), await newBrowser(url).get('/login')].map(hiddenFields);
    expect(forms[0]?.form).toMatch(/^[\w-]{16}$/);
    expect(forms[0]?.form).not.toBe(forms[1]?.form);
  });

  test('for a new code sends one mail as well, and its code works', async () => {
    const { email, browser } = await askedBrowser(app);
    const senders = copies(browser, 5);
    const again = await Promise.all(senders.map((sender) => sender.post('/login/code/again', { form: { email } })));
    expect(again.map(({ location }) => location)).toEqual(again.map(() => '/login/code?sent=again'));
    const code = await mails.codeFor(email, 2);
    expect(sessionOf(await enterCode(senders[4] as Visitor, code))).toBeDefined();
    expect(await redis.get(counterKey(email, 'mail:3600'))).toBe('2');
  });

  test('for a new code, because the first answer was lost, brings that answer', async () => {
    const { email, browser } = await askedBrowser(app, { next: '/admin?page=2' });
    const [first, second, elsewhere] = copies(browser, 3);
    const again = { form: { email } };
    await first?.post('/login/code/again', again);
    expect((await second?.post('/login/code/again', again))?.location).toBe('/login/code?sent=again');
    const code = await mails.codeFor(email, 2);
    const entered = await enterCode(second as Visitor, code);
    expect([sessionOf(entered), entered.location]).toEqual([expect.any(String), '/admin?page=2']);
    expect(await redis.get(counterKey(email, 'mail:3600'))).toBe('2');
    const answer = await elsewhere?.post('/login/code/again', { ...again, headers: { 'X-Forwarded-For': newIp() } });
    expect(answer && isOver(answer)).toBe(true);
  });

  test('for a new code, because the first answer was lost, mails one more after half a minute', async () => {
    const { email, browser } = await askedBrowser(app, { next: '/admin?page=2' });
    const [first, second] = copies(browser, 2) as [Visitor, Visitor];
    const again = { form: { email } };
    await first.post('/login/code/again', again);
    const earlier = await mails.codeFor(email, 2);
    const [key = ''] = challengeKeys(first);
    await redis.pExpire(key, (await redis.pTTL(key)) - (repeatSeconds + 1) * 1000);
    expect((await second.post('/login/code/again', again)).location).toBe('/login/code?sent=again');
    const code = await mails.codeFor(email, 3);
    expect(await redis.get(counterKey(email, 'mail:3600'))).toBe('3');
    expect((await enterCode(second, earlier)).text).toContain('That is not the code.');
    const entered = await enterCode(second, code);
    expect([sessionOf(entered), entered.location]).toEqual([expect.any(String), '/admin?page=2']);
  });

  test('for a new code too often, because the first answer was lost, leaves the code of that answer good', async () => {
    const { email, browser } = await askedBrowser(app);
    const [first, second] = copies(browser, 2) as [Visitor, Visitor];
    const again = { form: { email } };
    await first.post('/login/code/again', again);
    const code = await mails.codeFor(email, 2);
    const [{ points }] = rateLimits.asksPerClient;
    for (let times = 3; times <= points; times += 1)
      await browser.copy().post('/login', { form: { email: newAddress() } });
    expect((await second.post('/login/code/again', again)).status).toBe(429);
    expect(sessionOf(await enterCode(second, code))).toBeDefined();
  });
});
