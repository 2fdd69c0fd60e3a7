import { afterEach, expect, test, vi } from 'vitest';
import { newAddress, signInByCode } from '../email-code/code-login.ts';
import { askToAdd, startPasskeyApp } from '../passkeys/passkey-app.ts';
import { read } from '../support/documents.ts';
import { BoundBrowser, https, thiefOf } from './bound-browser.ts';
import { passSeconds } from './clock.ts';

const app = await startPasskeyApp({ env: https });
const freshMinutes = 10;

afterEach(() => void vi.useRealTimers());

/** Signs in by code, and binds the session. */
async function signInTo(owner: BoundBrowser): Promise<string> {
  const email = newAddress();
  owner.invite(await signInByCode({ mails: app.mails }, owner, email));
  await owner.register();
  await owner.get('/admin');
  return email;
}

test('a thief with a stolen pair adds no passkey once the sign-in is ten minutes old', async () => {
  passSeconds(0);
  const owner = new BoundBrowser(app.url);
  await signInTo(owner);
  passSeconds(freshMinutes * 60);
  await owner.prove();
  const thief = thiefOf(owner, app.url, '__Host-session', '__Host-bound');
  const inTime = await askToAdd(thief);
  passSeconds(1);
  const late = await askToAdd(thief);
  expect([inTime.status, late.status]).toEqual([200, 401]);
});

test('the session cookie alone adds no passkey', async () => {
  passSeconds(0);
  const owner = new BoundBrowser(app.url);
  const email = await signInTo(owner);
  passSeconds(61);
  const thief = thiefOf(owner, app.url, '__Host-session');
  expect((await askToAdd(thief)).status).toBe(401);
  expect((await thief.get('/passkeys/add')).text).not.toContain(email);
});

test('the time is documented as it is', () => {
  expect(read('docs/bound-sessions.md').replace(/\s+/g, ' ')).toContain(
    `has the pair within ${freshMinutes} minutes of the sign-in can add a passkey`,
  );
});
