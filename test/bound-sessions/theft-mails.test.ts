import { afterEach, describe, expect, test, vi } from 'vitest';
import { boundCookieSeconds } from '../../src/features/bound-sessions/bound-cookie.ts';
import { skippedPatienceMs, triesKey, usualPatienceMs } from '../../src/features/bound-sessions/tries.ts';
import { handleOf } from '../../src/session/session-id.ts';
import { newAddress, newBrowser, signInByCode, startCodeApp } from '../email-code/code-login.ts';
import { BoundBrowser, https, thiefOf } from './bound-browser.ts';
import { passSeconds } from './clock.ts';

const app = await startCodeApp({ env: https });
const stolenPair = `This request was refused. If somebody has also copied your device's proof, they may have used your session for up to ${boundCookieSeconds / 60} minutes before that.`;
const subject = /^Requests for your session at .* were refused$/;

afterEach(() => void vi.useRealTimers());

/** Somebody who has signed in by code, in a browser that has bound the session. */
async function member(): Promise<{ owner: BoundBrowser; email: string }> {
  const email = newAddress();
  const owner = new BoundBrowser(app.url, { 'X-Forwarded-For': '198.18.7.7' });
  owner.invite(await signInByCode(app, owner, email));
  await owner.register();
  await owner.get('/admin');
  passSeconds(61);
  return { owner, email };
}

/** How often the session of this browser has been used without its key, as far as that is counted. */
const triesOf = (browser: BoundBrowser) => app.redis.get(triesKey(browser.sessionId));
const mailsTo = (email: string) => app.mails.inbox.filter((mail) => JSON.stringify(mail).includes(email));

test('a second try is mailed to the owner, once, with a link that ends the session', async () => {
  const { owner, email } = await member();
  const thief = thiefOf(owner, app.url, '__Host-session');
  for (let tries = 0; tries < 4; tries += 1) {
    await thief.get('/admin');
    passSeconds(usualPatienceMs / 1000);
  }
  expect(await triesOf(owner)).not.toBeNull();
  const { text = '' } = await app.mails.mailTo(email, subject);
  expect(text).toContain('Unknown browser sent the cookie of your session');
  expect(text).toContain(stolenPair);
  expect(text).toContain('its browser may have lost its key');
  // The token of the link may spell anything.
  expect(text.replace(/token=[\w-]+/, '')).not.toMatch(/curl/i);
  const url = new URL(/https:\S+/.exec(text)?.[0] ?? '');
  const visitor = newBrowser(app.url, { 'X-Forwarded-Proto': 'https' });
  expect((await visitor.get(url.pathname + url.search)).text).toContain('End this session?');
  const ended = await visitor.post('/end-session', { form: { token: url.searchParams.get('token') ?? '' } });
  expect(ended.text).toContain('somebody has copied its cookie');
  expect((await owner.get('/admin')).status).toBe(401);
  const sent = () => app.logged().filter(({ msg, mail }) => msg === 'mail sent' && mail === 'theft');
  await expect.poll(sent, { timeout: 10_000 }).toHaveLength(1);
});

test('tries after a mail that could not be stored are mailed', async () => {
  const { owner, email } = await member();
  const thief = thiefOf(owner, app.url, '__Host-session');
  const steal = async () => {
    await thief.get('/admin');
    passSeconds(usualPatienceMs / 1000);
  };
  await steal();
  // The outbox needs it, and the count of tries doesn't.
  await app.redis.sendCommand(['ACL', 'SETUSER', 'default', '-zadd']);
  await steal();
  await app.redis.sendCommand(['ACL', 'SETUSER', 'default', '+@all']);
  await steal();
  expect((await app.mails.mailTo(email, subject)).text).toContain(stolenPair);
});

test('the mail says what a thief may have done whose bound cookie was cleared with the first refusal', async () => {
  const { owner, email } = await member();
  const thief = thiefOf(owner, app.url, '__Host-session', '__Host-bound');
  expect((await thief.get('/admin')).status).toBe(200);
  passSeconds(boundCookieSeconds);
  const first = await thief.get('/admin');
  expect(first.setCookies.join()).toContain('__Host-bound=;');
  passSeconds(usualPatienceMs / 1000);
  await thief.get('/admin');
  expect((await app.mails.mailTo(email, subject)).text).toContain(stolenPair);
});

test('what the thief does is in the log, with its reason', async () => {
  const { owner } = await member();
  await thiefOf(owner, app.url, '__Host-session').get('/admin');
  const lines = app.logged().filter(({ msg }) => msg === 'bound session refused');
  expect(lines.at(-1)).toMatchObject({ session: handleOf(owner.sessionId), reason: 'no bound cookie' });
});

describe('the owner is told of no accident', () => {
  test('when the browser has signed too often, and proves its key soon after', async () => {
    const { owner } = await member();
    const before = owner.cookies.get('__Host-bound') ?? '';
    owner.dropBoundCookie();
    for (let load = 0; load < 8; load += 1) {
      await owner.get('/admin', { headers: owner.skips('quota_exceeded') });
      passSeconds(60);
    }
    await owner.prove();
    // The same again, in which its old cookie is too old.
    passSeconds(600);
    owner.cookies.set('__Host-bound', before);
    await owner.get('/admin');
    await owner.prove();
    expect(await triesOf(owner)).toBeNull();
  });

  test('when the answer to a proof is lost', async () => {
    const { owner } = await member();
    await owner.prove();
    owner.dropBoundCookie();
    for (let load = 0; load < 3; load += 1) await owner.get('/admin', { headers: owner.skips('unreachable') });
    await owner.prove();
    expect(await triesOf(owner)).toBeNull();
  });

  test('when the browser has lost its key, and the owner goes to log in', async () => {
    const { owner } = await member();
    owner.dropBoundCookie();
    await owner.get('/admin');
    for (let load = 0; load < 3; load += 1) {
      passSeconds(usualPatienceMs / 1000);
      await owner.get('/login');
    }
    expect(await triesOf(owner)).toBeNull();
  });
});

test.each([
  ['an owner, once the browser had time to prove its key', skippedPatienceMs, false],
  ['an owner that has just proved the key, after half a minute', usualPatienceMs, true],
])('a thief who pretends to be %s, is reported', async (_name, patienceMs, hasProved) => {
  const { owner, email } = await member();
  if (hasProved) await owner.prove();
  const thief = thiefOf(owner, app.url, '__Host-session');
  const headers = thief.skips('quota_exceeded');
  await thief.get('/admin', { headers });
  passSeconds(patienceMs / 1000);
  await thief.get('/admin', { headers });
  await app.mails.mailTo(email, subject);
});

test('a form that another host of the domain sends is no try', async () => {
  const { owner } = await member();
  for (let tries = 0; tries < 3; tries += 1) await owner.post('/bound-session/register', { form: {} });
  expect(await triesOf(owner)).toBeNull();
});

test('nothing is mailed where addresses are trusted', async () => {
  const trusting = await startCodeApp({ env: { ...https, SIGN_IN: 'trust' }, mails: app.mails });
  const owner = new BoundBrowser(trusting.url);
  await owner.bind('trusted@example.com');
  passSeconds(61);
  for (let tries = 0; tries < 3; tries += 1) await thiefOf(owner, trusting.url, '__Host-session').get('/admin');
  expect(trusting.logged().filter(({ msg }) => msg === 'bound session refused')).toHaveLength(3);
  expect(await trusting.redis.keys('n:*')).toEqual([]);
  expect(mailsTo('trusted@example.com')).toEqual([]);
});
