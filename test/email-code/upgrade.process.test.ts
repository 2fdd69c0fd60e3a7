import { expect, test } from 'vitest';
import { startMailServer } from '../mail/mail-server.ts';
import { preparePreviousRelease } from '../support/previous-release.ts';
import { startServer } from '../support/process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import type { Visitor } from '../support/visitor.ts';
import { askForCode, enterCode, newAddress, newBrowser, signInByCode, wrongCode } from './code-login.ts';
import { linkIn } from './links.ts';

// Both versions at once on one Redis, as during a rolling upgrade: a balancer may send a browser to either.

const mails = await startMailServer();
const redis = await startRedisServer('of-the-operator', ['--appendonly', 'yes']);
const env = {
  ...{ REDIS_URL: redis.url, SMTP_URL: mails.url, SIGN_IN: 'code', TRUST_PROXY: '1' },
  SESSION_SECRET: 'a secret of the operator of 32 characters and more',
};
const servers = await Promise.all([startServer({ ...preparePreviousRelease(), env }), startServer({ env })]);
const [before, after] = servers.map((server) => server.url());
if (before === undefined || after === undefined) throw new Error('they do not listen');

const sessionsShown = async (browser: Visitor) => (await browser.get('/admin')).text.match(/name="session"/g)?.length;

test.each([
  { from: before, to: after, direction: 'old to new' },
  { from: after, to: before, direction: 'new to old' },
])('a session of either version is used, listed and ended at the other, from $direction', async ({ from, to }) => {
  const email = newAddress();
  const [laptop, phone] = [newBrowser(from), newBrowser(to)];
  await signInByCode({ mails }, laptop, email);
  await signInByCode({ mails }, phone, email, { count: 2 });
  const laptopThere = laptop.copy(to);
  expect((await laptopThere.get('/admin')).text).toContain(`Hello ${email}`);
  expect((await laptop.get('/admin')).text).toContain(`Hello ${email}`);
  expect([await sessionsShown(laptop), await sessionsShown(laptopThere)]).toEqual([1, 1]);

  expect((await laptopThere.copy().post('/logout')).status).toBe(303);
  expect((await laptop.get('/admin')).status).toBe(401);
  expect((await laptopThere.get('/admin')).status).toBe(401);
  expect((await phone.copy(from).post('/logout')).status).toBe(303);
  expect((await phone.get('/admin')).status).toBe(401);
});

test('a code that the old version mailed is shown and entered at the new one, once', async () => {
  const email = newAddress();
  const asking = newBrowser(before);
  await askForCode(asking, email, { remember: 'on', next: '/admin?tab=1' });
  const code = await mails.codeFor(email);
  const entering = asking.copy(after);
  expect((await entering.get('/login/code')).text).toContain(email);
  const { status, location } = await enterCode(entering, code);
  expect([status, location]).toEqual([303, '/admin?tab=1']);
  expect((await entering.copy(before).get('/admin')).text).toContain(`Hello ${email}`);
  for (const url of [before, after]) {
    const again = await enterCode(asking.copy(url), code);
    expect([again.status, again.setCookies.filter((cookie) => cookie.startsWith('session='))]).toEqual([422, []]);
  }
});

test('a code stays good at the old version after the new one has shown its form', async () => {
  const email = newAddress();
  const asking = newBrowser(before);
  await askForCode(asking, email);
  const shown = asking.copy(after);
  expect((await shown.get('/login/code')).text).toContain(email);
  const code = await mails.codeFor(email);
  expect((await enterCode(shown.copy(before), code)).status).toBe(303);
  expect((await enterCode(shown, code)).setCookies.filter((cookie) => cookie.startsWith('session='))).toEqual([]);
});

test('tries that were used at the old version stay used at the new one', async () => {
  const email = newAddress();
  const browser = newBrowser(before);
  await askForCode(browser, email);
  const code = await mails.codeFor(email);
  for (let offset = 1; offset <= 3; offset += 1) await enterCode(browser, wrongCode(code, offset));
  const there = browser.copy(after);
  expect((await enterCode(there, wrongCode(code, 4))).text).toContain('You have one try left');
  expect((await enterCode(there, wrongCode(code, 5))).text).toContain('can no longer be used');
  expect((await enterCode(there, code)).status).toBe(422);
});

test('a code that the new version mailed is refused at the old one, which mails another', async () => {
  const email = newAddress();
  const browser = newBrowser(after);
  await askForCode(browser, email);
  const there = browser.copy(before);
  expect((await enterCode(there, await mails.codeFor(email))).status).toBe(422);
  await askForCode(there, email);
  expect((await enterCode(there, await mails.codeFor(email, 2))).status).toBe(303);
});

test('a browser that the old version knew is new once, and its owner is told', async () => {
  const email = newAddress();
  const browser = newBrowser(before);
  await signInByCode({ mails }, browser, email);
  await mails.mailTo(email, 'notice');
  const there = browser.copy(after);
  await signInByCode({ mails }, there, email, { count: 2 });
  await mails.mailTo(email, 'notice', 2);
});

test.each([
  { from: before, to: after, direction: 'old to new' },
  { from: after, to: before, direction: 'new to old' },
])('the link in a notice ends its session at the other version, from $direction', async ({ from, to }) => {
  const email = newAddress();
  const browser = newBrowser(from);
  await signInByCode({ mails }, browser, email);
  const { searchParams } = new URL(linkIn(await mails.mailTo(email, 'notice')));
  const form = { token: searchParams.get('token') ?? '' };
  expect((await newBrowser(to).post('/end-session', { form })).status).toBe(200);
  expect((await browser.get('/admin')).status).toBe(401);
});
