import type { BrowserContext, Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { signIn } from '../support/browser.ts';
import { useChromium } from '../support/browsing.ts';
import { signedIn } from '../support/client.ts';
import { testRedis } from '../support/test-redis.ts';

const redisAddress = await testRedis();
const app = await startApp({ redisAddress });
const leaving = await startApp({ redisAddress });
const { url } = app;
const maxPages = app.server.maxConnections;
const openProfile = useChromium(() => [url, leaving.url], { keepsPages: true });
const newEmail = () => `${crypto.randomUUID()}@example.com`;

/** How many streams the app has open. */
const streamsOf = ({ server }: typeof app) => server.maxConnections - maxPages;

/** A browser that has signed in, once it listens. */
async function listening(email = newEmail()): Promise<{ profile: BrowserContext; page: Page; email: string }> {
  // That of the test before may still be closing.
  await expect.poll(() => streamsOf(app)).toBe(0);
  const profile = await openProfile();
  const page = await profile.newPage();
  await signIn(page, url, email);
  await expect.poll(() => streamsOf(app), { timeout: 10_000 }).toBe(1);
  return { profile, page, email };
}

async function endElsewhere(email: string): Promise<void> {
  const other = await signedIn(url, email);
  await other.post('/admin/end-other-sessions');
  await other.post('/logout');
}

const notice = (page: Page) => page.getByRole('alert').getByRole('heading', { name: 'Your session has ended' });

/** Headless pages are always visible, so that one is hidden is only told. */
async function turn(page: Page, state: 'hidden' | 'visible'): Promise<void> {
  await page.evaluate(`Object.defineProperty(document, 'visibilityState', { configurable: true, value: '${state}' });
    document.dispatchEvent(new Event('visibilitychange'))`);
}

describe('a page whose session was ended elsewhere', () => {
  test('says so in every tab of the browser, over one connection', async () => {
    const { profile, page, email } = await listening();
    const open = streamsOf(app);
    const otherTab = await profile.newPage();
    await otherTab.goto(`${url}/`);
    await otherTab.getByText('You are signed in').waitFor();
    await endElsewhere(email);
    await Promise.all([page, otherTab].map((tab) => notice(tab).waitFor()));
    expect(await page.getByText(email).isVisible()).toBe(false);
    expect(await otherTab.getByText(email).isVisible()).toBe(false);
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Your session has ended');
    await expect.poll(() => streamsOf(app)).toBe(open - 1);
    await page.getByRole('alert').getByRole('link', { name: 'Log in' }).click();
    await page.getByRole('heading', { name: 'Please login first.' }).waitFor();
    expect(page.url()).toBe(`${url}/admin`);
  });

  test('keeps what was typed, brings it back after the sign-in, and listens again', async () => {
    const { page, email } = await listening();
    const open = streamsOf(app);
    await page.evaluate(`document.querySelector('main').append(document.createElement('textarea'))`);
    await page.getByRole('textbox').fill('a long letter');
    await endElsewhere(email);
    await notice(page).waitFor();
    expect(await page.getByRole('textbox').isVisible()).toBe(false);
    const newTab = page.waitForEvent('popup');
    await page.getByRole('alert').getByRole('link', { name: 'Log in' }).click();
    await signIn(await newTab, url, email);
    await expect.poll(() => notice(page).isVisible()).toBe(false);
    expect(await page.getByRole('textbox').inputValue()).toBe('a long letter');
    expect(await page.evaluate('document.activeElement.tagName')).toBe('TEXTAREA');
    await expect.poll(() => streamsOf(app)).toBe(open);
    await endElsewhere(email);
    await notice(page).waitFor();
  });

  test('says so at the latest when it becomes visible, and a hidden one keeps no connection', async () => {
    const { page, email } = await listening();
    const open = streamsOf(app);
    await turn(page, 'hidden');
    await expect.poll(() => streamsOf(app)).toBe(open - 1);
    await endElsewhere(email);
    expect(await notice(page).isVisible()).toBe(false);
    await turn(page, 'visible');
    await notice(page).waitFor();
  });

  test('is not shown by Back', async () => {
    const { page, email } = await listening();
    await page.goto(`${url}/livez`);
    await endElsewhere(email);
    await page.evaluate('void history.back()');
    await page.getByRole('heading', { name: 'Please login first.' }).waitFor();
    expect(await page.getByText(email).isVisible()).toBe(false);
  });
});

test('the other tabs are told that nobody is signed in with the word that signed-out pages use', async () => {
  const { profile, page, email } = await listening();
  const otherTab = await profile.newPage();
  await otherTab.goto(`${url}/livez`);
  await otherTab.evaluate(`globalThis.heard = [];
    new BroadcastChannel('session-owner').onmessage = ({ data }) => heard.push(data)`);
  await endElsewhere(email);
  await notice(page).waitFor();
  await expect.poll(() => otherTab.evaluate('heard')).toEqual(['']);
});

test('a page listens again after a false alarm', async () => {
  const { page, email } = await listening();
  const open = streamsOf(app);
  const again = page.waitForRequest('**/session-events');
  await page.evaluate(`new BroadcastChannel('session-owner').postMessage('somebody else')`);
  await again;
  await expect.poll(() => streamsOf(app)).toBe(open);
  await endElsewhere(email);
  await notice(page).waitFor();
});

test('the next tab listens when the one that did is closed', async () => {
  const { profile, page, email } = await listening();
  const open = streamsOf(app);
  const otherTab = await profile.newPage();
  await otherTab.goto(`${url}/admin`);
  const again = otherTab.waitForRequest('**/session-events');
  await page.close();
  await again;
  await expect.poll(() => streamsOf(app)).toBe(open);
  await endElsewhere(email);
  await notice(otherTab).waitFor();
});

test('a page that was refused tries again within three minutes, though the clock was set back meanwhile', async () => {
  const profile = await openProfile({ expectedNoise: /^Failed to load resource/ });
  const page = await profile.newPage();
  await page.clock.install();
  await page.route('**/session-events', (route) => route.fulfill({ status: 503 }), { times: 1 });
  const refused = page.waitForResponse('**/session-events');
  await signIn(page, url, newEmail());
  await page.clock.runFor(1000);
  await refused;
  await turn(page, 'hidden');
  await page.clock.setSystemTime(Date.now() - 3_600_000);
  await turn(page, 'visible');
  const again = page.waitForRequest('**/session-events');
  await page.clock.runFor(181_000);
  await again;
});

test('a tab that logs out goes to the home page, and says nothing of an end', async () => {
  const { page } = await listening();
  await page.evaluate(`new MutationObserver(() => document.querySelector('[role=alert]') && console.error('a notice'))
    .observe(document.body, { childList: true })`);
  await page.getByRole('banner').getByRole('button', { name: 'Log out' }).click();
  await page.waitForURL(`${url}/`);
  expect(await page.getByRole('alert').count()).toBe(0);
});

test('a page that has listened comes back on Back as it was', async () => {
  const { page } = await listening();
  await page.evaluate(`document.title = 'kept in memory'`);
  await page.goto(`${url}/livez`);
  await page.evaluate('void history.back()');
  await page.waitForURL(`${url}/admin`, { waitUntil: 'commit' });
  await page.getByText('Hello').waitFor();
  expect(await page.title()).toBe('kept in memory');
});

test('nothing is claimed while the server is away', async () => {
  const profile = await openProfile({ expectedNoise: /^Failed to load resource|ERR_/ });
  const page = await profile.newPage();
  await signIn(page, leaving.url, newEmail());
  await expect.poll(() => streamsOf(leaving)).toBe(1);
  await leaving.close();
  const failed = page.waitForEvent('requestfailed', (request) => request.url().endsWith('/session-owner'));
  await turn(page, 'hidden');
  await turn(page, 'visible');
  await failed;
  expect(await page.getByText('Hello').isVisible()).toBe(true);
  expect(await page.getByRole('alert').count()).toBe(0);
});

test('without JavaScript, pages are as they were', async () => {
  await expect.poll(() => streamsOf(app)).toBe(0);
  const profile = await openProfile({ javaScriptEnabled: false });
  const page = await profile.newPage();
  await signIn(page, url, newEmail());
  expect(await page.getByText('Hello').isVisible()).toBe(true);
  // When a later page with JavaScript has listened, this one has had longer to open a stream.
  const { page: later, email } = await listening();
  await endElsewhere(email);
  await notice(later).waitFor();
  expect(await page.getByRole('alert').count()).toBe(0);
  await expect.poll(() => streamsOf(app)).toBe(0);
});
