import { expect, test } from 'vitest';
import { rateLimits } from '../../src/features/email-code/rate-limits.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { askForCode, enterCode, newAddress, newBrowser, signInByCode, startCodeApp } from './code-login.ts';

const app = await startCodeApp();
const { url, mails, redis, logged } = app;
const soon = { timeout: 8000, interval: 5 };

function outcomesOf(email: string, message: string, kind: string): number {
  return logged().filter(({ msg, mail, person }) => msg === message && mail === kind && person === tagOf(email)).length;
}

test('a code that the mail server refuses does not use up the address’s allowance', async () => {
  const email = newAddress();
  const [{ points }] = rateLimits.mailsPerAddress;
  mails.failure = { at: 'recipient', answer: 550, words: '5.1.1 user unknown' };
  for (let count = 1; count <= points + 1; count += 1) {
    await askForCode(newBrowser(url), email);
    await expect.poll(() => outcomesOf(email, 'mail not sent', 'code'), soon).toBe(count);
    await expect.poll(() => redis.get(`l:{${tagOf(email)}}mail:3600`), soon).toBe('0');
  }
  mails.failure = undefined;
  await signInByCode(app, newBrowser(url), email);
});

test('nor does one that it refuses while Redis is full', async () => {
  const email = newAddress();
  mails.failure = { at: 'recipient', answer: 450 };
  await askForCode(newBrowser(url), email);
  await expect.poll(() => outcomesOf(email, 'mail deferred', 'code'), soon).toBeGreaterThan(0);
  await redis.configSet('maxmemory', '1');
  try {
    mails.failure = { at: 'recipient', answer: 550, words: '5.1.1 user unknown' };
    await expect.poll(() => outcomesOf(email, 'mail not sent', 'code'), soon).toBe(1);
    await expect.poll(() => redis.get(`l:{${tagOf(email)}}mail:3600`), soon).toBe('0');
  } finally {
    await redis.configSet('maxmemory', '0');
    mails.failure = undefined;
  }
});

test('a browser is known once its notice is accepted, and until then each sign-in raises one', async () => {
  const email = newAddress();
  const browser = newBrowser(url);
  await askForCode(browser, email);
  const code = await mails.codeFor(email);
  mails.failure = { at: 'recipient', answer: 550 };
  expect((await enterCode(browser, code)).status).toBe(303);
  await expect.poll(() => outcomesOf(email, 'mail not sent', 'notice'), soon).toBe(1);

  mails.failure = { at: 'recipient', answer: 450 };
  await askForCode(browser, email);
  await expect.poll(() => outcomesOf(email, 'mail deferred', 'code'), soon).toBe(1);
  mails.failure = undefined;
  expect((await enterCode(browser, await mails.codeFor(email, 2))).status).toBe(303);
  await mails.mailTo(email, 'notice', 1);

  await expect.poll(() => outcomesOf(email, 'mail sent', 'notice'), soon).toBe(1);
  await signInByCode({ mails }, browser, email, { count: 3 });
  await signInByCode({ mails }, browser, email, { count: 4 });
  expect(outcomesOf(email, 'mail sent', 'notice')).toBe(1);
});
