import { expect, test } from 'vitest';
import { testRedis } from '../support/test-redis.ts';
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
import { linkIn } from './links.ts';

const redisAddress = await testRedis();
const app = await startCodeApp({ redisAddress });
const { mails } = app;
const replaced = await startCodeApp({
  ...{ redisAddress, mails },
  secrets: ['a newer secret for the tests, of 32 characters'],
});

// docs/running.md, "Backup and restore": what a new secret ends, and what it doesn't.
test('when the secret is replaced, links in notices work, and sessions stay on the list until they run out', async () => {
  const email = newAddress();
  const [before, after] = [newBrowser(app.url), newBrowser(replaced.url)];
  await signInByCode(app, before, email);
  const { searchParams } = new URL(linkIn(await mails.mailTo(email, 'notice')));
  await signInByCode(replaced, after, email, { count: 2 });
  expect((await before.copy(replaced.url).get('/admin')).status).toBe(401);
  expect((await after.get('/admin')).text).toContain('End session 2 of 2');
  const form = { token: searchParams.get('token') ?? '' };
  expect((await newBrowser(replaced.url).post('/end-session', { form })).status).toBe(200);
  expect((await after.get('/admin')).text).not.toContain('End session 2 of 2');
});

// A leaked secret can sign sessions, known browsers and codes. What it signed must not outlive it.
test('when the secret is replaced, no browser is known any more, and a waiting code is void', async () => {
  const email = newAddress();
  const known = newBrowser(app.url);
  await signInByCode(app, known, email);
  const there = known.copy(replaced.url);
  expect((await there.get('/admin')).status).toBe(401);
  await exhaust(app, email);
  const { mailed } = await outcomes(app, email, 6);
  // The allowance of strangers is used up, and this browser has none of its own.
  await askForCode(there, email);
  expect(await outcomes(replaced, email, mailed + 1)).toEqual({ mailed, withheld: 1 });

  const another = newAddress();
  const waiting = newBrowser(app.url);
  await askForCode(waiting, another);
  const code = await mails.codeFor(another);
  const visit = await enterCode(waiting.copy(replaced.url), code);
  expect([visit.status, visit.setCookies.filter((cookie) => cookie.startsWith('session='))]).toEqual([422, []]);
});
