import { expect, test } from 'vitest';
import { testRedis } from '../support/app.ts';
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
const { mails } = app;
const replaced = await startCodeApp({
  ...{ redisAddress, mails },
  secrets: ['a newer secret for the tests, of 32 characters'],
});

// A leaked secret can sign sessions, known browsers and codes. What it signed must not outlive it.
test('when the secret is replaced, no browser is known any more, and a waiting code is void', async () => {
  const email = newAddress();
  const known = newBrowser(app.url);
  await signInByCode(app, known, email);
  const there = known.copy(replaced.url);
  expect((await there.get('/admin')).status).toBe(401);
  await exhaust(app, email);
  const before = await outcomes(app, email, 6);
  // The allowance of strangers is used up, and this browser has none of its own.
  await askForCode(there, email);
  expect(await outcomes(replaced, email, 1)).toEqual({ mailed: 0, withheld: 1 });
  expect(await outcomes(app, email, 6)).toEqual(before);

  const another = newAddress();
  const waiting = newBrowser(app.url);
  await askForCode(waiting, another);
  const code = await mails.codeFor(another);
  const visit = await enterCode(waiting.copy(replaced.url), code);
  expect([visit.status, visit.setCookies.filter((cookie) => cookie.startsWith('session='))]).toEqual([422, []]);
});
