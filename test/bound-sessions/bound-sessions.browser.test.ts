import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterEach, expect, test, vi } from 'vitest';
import { boundCookieSeconds } from '../../src/features/bound-sessions/bound-cookie.ts';
import { startApp } from '../support/app.ts';
import { launchOptions, signIn } from '../support/browser.ts';
import { heading, useChromium } from '../support/browsing.ts';
import { newDirectory } from '../support/process.ts';
import { testRedis } from '../support/test-redis.ts';
import { origin, https as settings } from './bound-browser.ts';
import { passSeconds } from './clock.ts';
import { startHttpsFront } from './https-front.ts';

const elsewhere = 'https://elsewhere.example.net';
const [host, otherHost] = [origin, elsewhere].map((url) => new URL(url).host) as [string, string];
const redisAddress = await testRedis();
const app = await startApp({ env: settings, redisAddress });
const front = await startHttpsFront(app.url, host, otherHost);
const address = `127.0.0.1:${front.port}`;
const options = {
  // A headless shell can't bind a session.
  headlessShell: false,
  trusts: front.certificate,
  resolves: { [host]: address, [otherHost]: address },
  // Keys in software: test machines have no TPM.
  features: ['DeviceBoundSessions', 'EnableBoundSessionCredentialsSoftwareKeysForManualTesting'],
};
const openProfile = useChromium(() => [origin, elsewhere], options);
const refreshPath = '/bound-session/refresh';

afterEach(() => {
  vi.useRealTimers();
  front.forwardTo(app.url);
  front.intercept(undefined);
});

/** What browsers have asked for at this path, and how it was answered. */
function statuses(path: string): number[] {
  return front.requests.filter((request) => request.path === path).map(({ status }) => status);
}

/** Signs in, and waits until the session takes proof. */
async function bind(profile: BrowserContext, email: string, { remember = false } = {}): Promise<Page> {
  front.requests.length = 0;
  const page = profile.pages()[0] ?? (await profile.newPage());
  if (remember) {
    await page.goto(`${origin}/login`);
    await page.getByLabel('E-mail address').fill(email);
    await page.getByRole('checkbox').check();
    await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
    await page.waitForURL(`${origin}/admin`);
  } else await signIn(page, origin, email);
  await expect.poll(() => statuses('/bound-session/register')).toEqual([200]);
  await page.reload();
  await page.reload();
  expect(await page.getByText('Bound to this device').count()).toBe(1);
  // Past the time in which a session is good without proof.
  passSeconds(61);
  front.requests.length = 0;
  return page;
}

/** The bound cookie's time is over, as the browser sees it. */
function endBoundCookie(profile: BrowserContext): Promise<void> {
  return profile.clearCookies({ name: '__Host-bound' });
}

test('the browser renews its cookie before it loads a page, and nobody notices', async () => {
  const profile = await openProfile();
  const page = await bind(profile, 'ann@example.com');
  await endBoundCookie(profile);
  await page.reload();
  expect(await heading(page)).toBe('Hello ann@example.com');
  expect(statuses('/admin')).toEqual([200]);
  expect(statuses(refreshPath)).toEqual([403, 200]);
});

test('the browser signs once for each renewal, however long after the one before', async () => {
  const profile = await openProfile();
  const page = await bind(profile, 'once@example.com');
  for (let renewals = 0; renewals < 3; renewals += 1) {
    passSeconds(boundCookieSeconds - 100);
    await endBoundCookie(profile);
    await page.reload();
    expect(await heading(page)).toBe('Hello once@example.com');
  }
  expect(front.requests.filter(({ headers }) => headers['secure-session-response'])).toHaveLength(3);
});

test('a thief with the cookies of a real browser is out, and its owner stays in', async () => {
  const profile = await openProfile();
  const page = await bind(profile, 'victim@example.com');
  const thief = await (await openProfile()).newPage();
  await thief.context().addCookies(await profile.cookies());
  await thief.goto(`${origin}/admin`);
  expect(await heading(thief)).toBe('Hello victim@example.com');
  passSeconds(boundCookieSeconds);
  for (let tries = 0; tries < 3; tries += 1) {
    await thief.goto(`${origin}/admin`);
    expect(await heading(thief)).toBe('Please login first.');
  }
  await page.reload();
  expect(await heading(page)).toBe('Hello victim@example.com');
});

test('two tabs that are opened when the cookie is over are both in', async () => {
  const profile = await openProfile();
  const page = await bind(profile, 'tabs@example.com');
  const other = await profile.newPage();
  await endBoundCookie(profile);
  await Promise.all([page.reload(), other.goto(`${origin}/admin`)]);
  for (const tab of [page, other]) expect(await heading(tab)).toBe('Hello tabs@example.com');
});

test('a link on another site leads to a page that is signed in', async () => {
  const profile = await openProfile();
  const page = await bind(profile, 'link@example.com');
  front.intercept((req, res) => {
    if (req.headers.host?.split(':')[0] !== otherHost) return false;
    res.setHeader('Content-Type', 'text/html');
    res.end(`<!doctype html><title>Elsewhere</title><link rel="icon" href="data:,"><a href="${origin}/admin">in</a>`);
    return true;
  });
  await page.goto(elsewhere);
  await endBoundCookie(profile);
  await page.getByRole('link').click();
  await page.waitForURL(`${origin}/admin`);
  expect(await heading(page)).toBe('Hello link@example.com');
});

test('a form that is sent with a cookie that is too old arrives', async () => {
  const profile = await openProfile();
  const page = await bind(profile, 'form@example.com');
  await signIn(await (await openProfile()).newPage(), origin, 'form@example.com');
  await page.reload();
  passSeconds(boundCookieSeconds);
  await page.getByRole('button', { name: 'End all others' }).click();
  await page.getByText('The other session has been ended.').waitFor();
  expect(statuses('/admin/end-other-sessions')).toEqual([307, 303]);
});

test('a prefetched page costs the session nothing', async () => {
  const profile = await openProfile();
  const page = await bind(profile, 'prefetch@example.com');
  await endBoundCookie(profile);
  await page.evaluate(`document.head.insertAdjacentHTML('beforeend', '<link rel="prefetch" href="/admin?ahead">')`);
  await expect.poll(() => statuses('/admin?ahead').length).toBeGreaterThan(0);
  await page.reload();
  expect(await heading(page)).toBe('Hello prefetch@example.com');
});

test('a restart of the app is not noticed', async () => {
  const profile = await openProfile();
  const page = await bind(profile, 'restart@example.com');
  await endBoundCookie(profile);
  front.forwardTo((await startApp({ env: settings, redisAddress })).url);
  await page.reload();
  expect(await heading(page)).toBe('Hello restart@example.com');
});

test('a restart of the browser is not noticed', async () => {
  const directory = newDirectory('profile-');
  const launch = () => chromium.launchPersistentContext(directory, launchOptions(options));
  const before = await launch();
  await bind(before, 'kept@example.com', { remember: true });
  await before.close();
  const after = await launch();
  try {
    passSeconds(boundCookieSeconds);
    const page = after.pages()[0] ?? (await after.newPage());
    await page.goto(`${origin}/admin`);
    expect(await heading(page)).toBe('Hello kept@example.com');
    expect(statuses(refreshPath)).toContain(200);
  } finally {
    await after.close();
  }
});

test('after logout the browser has forgotten the key', async () => {
  const profile = await openProfile();
  const page = await bind(profile, 'out@example.com');
  await page.getByRole('button', { name: 'Log out' }).first().click();
  await page.waitForURL(`${origin}/`);
  expect(await profile.cookies()).toEqual([]);
  await page.reload();
  expect(statuses(refreshPath)).toEqual([]);
});

test('while proofs fail, a page has no content, and opens by itself once they succeed', async () => {
  const profile = await openProfile();
  const page = await bind(profile, 'away@example.com');
  await endBoundCookie(profile);
  front.intercept((req, res) => {
    if (req.url !== refreshPath) return false;
    res.writeHead(503).end();
    return true;
  });
  await page.reload();
  expect(await heading(page)).toBe('One moment');
  expect(await page.content()).not.toContain('away@example.com');
  front.intercept(undefined);
  await page.getByRole('heading', { name: 'Hello away@example.com' }).waitFor({ timeout: 60_000 });
}, 90_000);

test('a browser that has signed too often waits, and can log in again at once', async () => {
  const profile = await openProfile();
  const page = await bind(profile, 'quota@example.com');
  for (let loads = 0; loads < 12 && (await heading(page)) !== 'One moment'; loads += 1) {
    await endBoundCookie(profile);
    await page.reload();
  }
  const skipped = front.requests.find(({ headers }) => headers['secure-session-skipped']);
  expect(skipped?.headers['secure-session-skipped']).toMatch(/^quota_exceeded;session_identifier="[\w-]+"/);
  expect(await heading(page)).toBe('One moment');
  await page.getByRole('link', { name: 'Log in again' }).click();
  await signIn(page, origin, 'quota@example.com');
  passSeconds(61);
  await page.reload();
  expect(await heading(page)).toBe('Hello quota@example.com');
});
