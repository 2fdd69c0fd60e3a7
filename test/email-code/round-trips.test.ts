import { expect, test } from 'vitest';
import { waitsFor } from '../support/round-trips.ts';
import { askForCode, enterCode, newAddress, newBrowser, signInByCode, startCodeApp, untilKnown } from './code-login.ts';

const app = await startCodeApp();
// Nothing is blocked, which the app learns from its first sign-in.
await signInByCode(app, newBrowser(app.url), newAddress());

test.each([
  ['new to the address', false],
  ['known to it', true],
])('a browser %s waits for Redis three times for a code, and four times to sign in with it', async (_what, isKnown) => {
  const [browser, email] = [newBrowser(app.url), newAddress()];
  if (isKnown) {
    await signInByCode(app, browser, email);
    await untilKnown(app, email);
    browser.cookies.delete('session');
  }
  expect((await waitsFor(() => askForCode(browser, email))).roundTrips).toBeLessThanOrEqual(3);
  const code = await app.mails.codeFor(email, isKnown ? 2 : 1);
  const entered = await waitsFor(async () => expect((await enterCode(browser, code)).status).toBe(303));
  expect(entered.roundTrips).toBeLessThanOrEqual(4);
});

test('a wrong code takes two', async () => {
  const browser = newBrowser(app.url);
  await askForCode(browser, newAddress());
  const entered = await waitsFor(async () => expect((await enterCode(browser, '00000000')).status).toBe(422));
  expect(entered.roundTrips).toBeLessThanOrEqual(2);
});
