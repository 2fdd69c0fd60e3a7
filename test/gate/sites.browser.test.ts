import type { BrowserContext, Page } from 'playwright-core';
import { afterEach, expect, test } from 'vitest';
import { axeFindings, overflow } from '../browser/findings.ts';
import { longestAddress } from '../support/address.ts';
import { loginButton } from '../support/browser.ts';
import { heading, useChromium } from '../support/browsing.ts';
import { chromiumBehind } from '../support/chromium-behind.ts';
import { startDemoApp } from './demo-app.ts';
import { startGateApp } from './gate-app.ts';
import { origins, startGateProxy } from './proxies.ts';

const { login, wiki, reports } = origins;
const app = await startGateApp({ env: { GATE_SITES: `${wiki}, ${reports} = ann@example.com` } });
const [wikiApp, reportsApp] = await Promise.all([startDemoApp(), startDemoApp()]);
const latchkey = Number(new URL(app.url).port);
const proxy = await startGateProxy('nginx', { latchkey, wiki: wikiApp.port, reports: reportsApp.port });
const openProfile = useChromium(() => Object.values(origins), chromiumBehind(proxy));

/** How many bytes the gate was sent with its checks. */
let bytesToGate = 0;
app.server.on('request', (req) => {
  if (!req.url?.startsWith('/gate/nginx')) return;
  req.on('data', (chunk: Buffer) => {
    bytesToGate += chunk.length;
  });
});
afterEach(() => {
  wikiApp.seen.length = 0;
  reportsApp.seen.length = 0;
});

/** Logs in on the login page that is shown. */
async function logIn(page: Page, email: string): Promise<void> {
  expect(new URL(page.url()).origin).toBe(login);
  await page.getByLabel('E-mail address').fill(email);
  await loginButton(page).click();
}

async function entered(
  email = 'ann@example.com',
  expectedNoise = /status of 401|WebSocket connection to .* failed/,
): Promise<{ profile: BrowserContext; page: Page }> {
  const profile = await openProfile({ expectedNoise });
  const page = await profile.newPage();
  await page.goto(`${wiki}/`);
  await logIn(page, email);
  await page.waitForURL(`${wiki}/`);
  expect(await heading(page)).toBe('Demo');
  return { profile, page };
}

test('a person comes back to a deep link, over HTTP/2, and to a second site without logging in again', async () => {
  const profile = await openProfile();
  const page = await profile.newPage();
  const deep = `${wiki}/caf%C3%A9/a%2Fb?q=%D0%BF+1&x=100%25&y=50%#part`;
  await page.goto(deep);
  await logIn(page, 'ann@example.com');
  await page.waitForURL(deep.replace('#part', ''));
  expect(wikiApp.seen.map(({ url }) => url)).toEqual(['/caf%C3%A9/a%2Fb?q=%D0%BF+1&x=100%25&y=50%']);
  expect(await page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")).toBe('h2');

  // Without a form in between, the browser keeps the fragment as well.
  await page.goto(`${reports}/q3?x=1#part`);
  expect(page.url()).toBe(`${reports}/q3?x=1#part`);
  expect(await heading(page)).toBe('Demo');
  await page.goto(`${login}/admin`);
  const opened = page.getByRole('region', { name: 'Opened sites' });
  expect(await opened.getByRole('link').allTextContents()).toEqual(['reports.example.org', 'wiki.example.net']);
});

test('a person who may enter one site only is told so at the other, and enters with another address', async () => {
  const { page } = await entered('bob@example.com');
  await page.goto(`${reports}/q3`);
  expect(await heading(page)).toBe('You may not open reports.example.org');
  expect(await page.getByRole('main').textContent()).toContain('You are signed in as bob@example.com');
  expect(reportsApp.seen).toEqual([]);
  await page.getByLabel('E-mail address').fill('ann@example.com');
  await page.getByRole('button', { name: 'Log in with another address' }).click();
  await page.waitForURL(`${reports}/q3`);
  expect(reportsApp.seen.at(-1)?.headers['remote-email']).toBe('ann@example.com');
  await page.goto(`${wiki}/`);
  expect(wikiApp.seen.at(-1)?.headers['remote-email']).toBe('ann@example.com');
});

test('pages of the gate on a site have nothing that axe objects to, and fit 320 px and 200 % zoom', async () => {
  const { page } = await entered(longestAddress, /status of 40[034]/);
  for (const [path, title] of [
    [`${wiki}/.latchkey/refused`, 'This page may not be opened'],
    [`${reports}/.latchkey/refused`, 'You may not open reports.example.org'],
    [`${reports}/.latchkey/nope`, 'Not Found'],
    [`${reports}/.latchkey/enter?retry=1`, 'This browser did not keep a cookie'],
  ] as const) {
    await page.goto(path);
    expect(await page.getByRole('main').getByRole('heading', { level: 1 }).textContent()).toBe(title);
    expect(await axeFindings(page)).toEqual([]);
    await page.setViewportSize({ width: 320, height: 640 });
    expect({ path, overflow: await overflow(page) }).toEqual({ path, overflow: [] });
    await page.evaluate("document.documentElement.style.fontSize = '200%'");
    expect({ path, overflow: await overflow(page) }).toEqual({ path, overflow: [] });
  }
});

test('logging out on one site closes the other', async () => {
  const { page } = await entered();
  await page.goto(`${reports}/`);
  await page.setContent(`<a href="${reports}/.latchkey/logout">Log out</a>`);
  await page.getByRole('link').click();
  await page.waitForURL(`${login}/`);
  for (const site of [wiki, reports]) {
    await page.goto(`${site}/`);
    expect(new URL(page.url()).pathname).toBe('/login');
  }
  // By a link on another site, nothing happens before a button is pressed.
  await logIn(page, 'ann@example.com');
  await page.waitForURL(`${reports}/`);
  await page.setContent(`<a href="${wiki}/.latchkey/logout">Log out</a>`);
  await page.getByRole('link').click();
  await page.waitForURL(`${login}/logout`);
  await page.goto(`${reports}/`);
  expect(await heading(page)).toBe('Demo');
});

test('a session that is ended in another browser is out of its sites at once', async () => {
  const { page } = await entered('carol@example.com');
  const other = await (await openProfile()).newPage();
  await other.goto(`${login}/login`);
  await logIn(other, 'carol@example.com');
  await other.waitForURL(`${login}/admin`);
  await other.getByRole('button', { name: /^End session 2 of 2/ }).click();
  await other.getByText('The session has been ended.').waitFor();
  await page.goto(`${wiki}/page`);
  expect(new URL(page.url()).pathname).toBe('/login');
});

test('a page whose session ends gets 401 for what it fetches, and goes on after a new login in another tab', async () => {
  const { profile, page } = await entered();
  const status = () => page.evaluate("fetch('/data').then((response) => response.status)");
  const socket = () =>
    page.evaluate(`new Promise((done) => {
      const socket = new WebSocket('wss://${new URL(wiki).host}/socket');
      socket.onopen = () => { socket.close(); done('open'); };
      socket.onerror = () => done('refused');
    })`);
  const stream = () =>
    page.evaluate(`new Promise((done) => {
      const source = new EventSource('/events');
      source.onmessage = ({ data }) => { source.close(); done(data); };
      source.onerror = () => { source.close(); done('refused'); };
    })`);
  expect([await status(), await socket(), await stream()]).toEqual([200, 'open', 'hello']);

  const session = (await profile.cookies(login)).find(({ name }) => name === '__Host-session')?.value ?? '';
  const [, tag, member] = /^s:([\w-]{14})([\w-]{22})/.exec(decodeURIComponent(session)) ?? [];
  expect(await app.redis.del(`{${tag}}${member}`)).toBe(1);
  expect([await status(), await socket(), await stream()]).toEqual([401, 'refused', 'refused']);
  expect(page.url()).toBe(`${wiki}/`);

  const other = await profile.newPage();
  await other.goto(`${wiki}/other`);
  await logIn(other, 'ann@example.com');
  await other.waitForURL(`${wiki}/other`);
  expect([await status(), await socket(), await stream()]).toEqual([200, 'open', 'hello']);
});

test('a frame whose session has ended says what to do, and the page around it leads to the login', async () => {
  const { page } = await entered('dave@example.com');
  await page.evaluate("document.body.insertAdjacentHTML('beforeend', '<iframe src=/frame></iframe>')");
  const frame = page.frameLocator('iframe');
  await frame.getByRole('heading', { name: 'Demo' }).waitFor();
  await page.context().clearCookies({ domain: new URL(wiki).hostname });
  await page.context().clearCookies({ domain: new URL(login).hostname });
  await page.evaluate("document.querySelector('iframe').contentWindow.location.reload()");
  await frame.getByText('Please login first. To do so, reload the whole page.').waitFor();
  await page.reload();
  expect(new URL(page.url()).pathname).toBe('/login');
});

test('cookies and forms of the app are its own, and the cookies of the gate nobody sees', async () => {
  const { profile, page } = await entered();
  await page.evaluate("document.cookie = 'theme=dark; Secure'");
  wikiApp.seen.length = 0;
  await page.getByRole('button', { name: 'Save' }).click();
  await page.waitForURL(`${wiki}/saved`);
  const [saved] = wikiApp.seen;
  expect(saved).toMatchObject({ method: 'POST', bytes: 'note=kept'.length });
  expect(saved?.headers).toMatchObject({ cookie: 'demo=of-the-demo-app; theme=dark', origin: wiki });
  expect(await page.evaluate('document.cookie')).toBe('theme=dark');
  const names = (await profile.cookies(wiki)).map(({ name, httpOnly, secure, sameSite }) => [
    name,
    httpOnly,
    secure,
    sameSite,
  ]);
  expect(names).toContainEqual(['__Host-latchkey', true, true, 'Lax']);
});

test('fifty requests of a page pass at once, and an upload of 10 MB goes past the gate', async () => {
  const { profile, page } = await entered();
  const before = await profile.cookies(wiki);
  const statuses = await page.evaluate(`Promise.all(
    Array.from({ length: 50 }, (_, index) => fetch('/data?' + index).then(({ status }) => status)),
  )`);
  expect(statuses).toEqual(Array.from({ length: 50 }, () => 200));
  expect(await profile.cookies(wiki)).toEqual(before);

  const upload =
    "fetch('/upload', { method: 'POST', body: new Uint8Array(10 * 1024 * 1024) }).then(({ status }) => status)";
  expect(await page.evaluate(upload)).toBe(200);
  expect(wikiApp.seen.at(-1)).toMatchObject({ method: 'POST', url: '/upload', bytes: 10 * 1024 * 1024 });
  expect(bytesToGate).toBe(0);
});
