import { describe, expect, test } from 'vitest';
import { testRedis } from '../support/test-redis.ts';
import { askForCode, enterCode, newAddress, newBrowser, outcomes, signInByCode, startCodeApp } from './code-login.ts';

describe('ALLOWED_EMAILS, with sign-in by code', () => {
  test('makes the code page say "if", whoever asks; without it, a code is on its way to everybody', async () => {
    const pageOf = async (env: Record<string, string>, email: string) => {
      const browser = newBrowser((await startCodeApp({ env })).url);
      await askForCode(browser, email);
      return (await browser.get('/login/code')).text;
    };
    const restricted = { ALLOWED_EMAILS: 'ann@example.com' };
    for (const email of ['ann@example.com', 'eve@example.com']) {
      expect(await pageOf(restricted, email)).toContain('If this address may log in here, an eight-digit code');
    }
    expect(await pageOf({}, 'ann@example.com')).toMatch(/>An eight-digit code is on its way/);
  });

  test('at the form: others see the same page and get no mail', async () => {
    const app = await startCodeApp({ env: { ALLOWED_EMAILS: 'ann@example.com, @example.org' } });
    const stranger = newAddress();
    for (const email of ['ann@example.com', newAddress('example.org'), stranger]) {
      const visit = await askForCode(newBrowser(app.url), email);
      expect([visit.status, visit.location]).toEqual([303, '/login/code']);
      const mailed = email === stranger ? 0 : 1;
      expect(await outcomes(app, email, 1)).toEqual({ mailed, withheld: 1 - mailed });
    }
    expect(app.logged().find(({ msg }) => msg === 'code withheld')).toMatchObject({
      reason: 'not in ALLOWED_EMAILS',
    });
    expect(app.mails.inbox.map(({ to }) => to)).not.toContainEqual([stranger]);
  });

  test('at the code: it is asked again, for the list may have changed since', async () => {
    const redisAddress = await testRedis();
    const before = await startCodeApp({ redisAddress, env: { ALLOWED_EMAILS: '@example.com' } });
    const after = await startCodeApp({ redisAddress, mails: before.mails, env: { ALLOWED_EMAILS: '@example.org' } });
    const email = newAddress();
    const browser = newBrowser(before.url);
    await askForCode(browser, email);
    const code = await before.mails.codeFor(email);
    const there = browser.copy(after.url);
    const visit = await enterCode(there, code);
    expect([visit.status, visit.text.includes('That code can no longer be used.')]).toEqual([422, true]);
    expect(there.cookies.has('session')).toBe(false);
    // The outbox forgets a mail some time after it has arrived.
    const kept = (await before.redis.keys('*')).filter((key) => !/^(?:[chln]:|\{outbox\}:)/.test(key));
    expect(kept).toEqual([]);
    expect((await enterCode(browser, code)).status).toBe(422);
  });

  test('on each request: an address that was taken off has no access any more', async () => {
    const redisAddress = await testRedis();
    const before = await startCodeApp({ redisAddress, env: { ALLOWED_EMAILS: '@example.com' } });
    const email = newAddress();
    const browser = newBrowser(before.url);
    await signInByCode(before, browser, email);
    const restarted = await startCodeApp({
      redisAddress,
      mails: before.mails,
      env: { ALLOWED_EMAILS: '@example.org' },
    });
    const there = browser.copy(restarted.url);
    expect((await there.get('/admin')).status).toBe(401);
    expect((await there.get('/')).text).not.toContain(email);

    // Nor when it is on the list again: whoever made it leave the list may hold that session.
    expect((await browser.get('/admin')).status).toBe(401);

    // Nor does the device cookie bring a mail.
    await askForCode(there, email);
    expect(await outcomes(restarted, email, 2)).toEqual({ mailed: 1, withheld: 1 });
  });
});
