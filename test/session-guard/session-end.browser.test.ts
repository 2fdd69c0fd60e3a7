import { request as ask, createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { BrowserContext, Page } from 'playwright-core';
import { afterEach, describe, expect, test } from 'vitest';
import { axeFindings, overflow } from '../browser/findings.ts';
import { afterwards } from '../support/afterwards.ts';
import { startApp, type TestApp } from '../support/app.ts';
import { signIn } from '../support/browser.ts';
import { useChromium } from '../support/browsing.ts';
import { certificateFor } from '../support/certificate.ts';
import { gate } from '../support/fork.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

const redisAddress = await testRedis();
const certificate = certificateFor('127.0.0.1');
/** What happens to a question for the owner of the session before it reaches the app. */
let onQuestion: () => Promise<'pass' | 'fail' | 'lose' | 'page'> = async () => 'pass';
const http = await startBehindProxy('http');
const https = await startBehindProxy('https');
const openProfile = useChromium(() => [http.origin, https.origin], { keepsPages: true, trusts: certificate });

async function startBehindProxy(scheme: 'http' | 'https'): Promise<{ origin: string; app: TestApp }> {
  let app: TestApp | undefined;
  const forward: RequestListener = async (req, res) => {
    const fate = req.url === '/session-owner' ? await onQuestion() : 'pass';
    if (fate === 'fail') return void res.writeHead(503).end();
    if (fate === 'page') return void res.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>Welcome</h1>');
    if (fate === 'lose') return;
    const { method, url } = req;
    const headers = { ...req.headers, 'x-forwarded-proto': scheme };
    const asked = ask(`${app?.url}${url}`, { method, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(res);
    });
    asked.on('error', () => res.destroy());
    req.pipe(asked);
  };
  const proxy = scheme === 'http' ? createHttpServer(forward) : createHttpsServer(certificate, forward);
  await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
  afterwards(() => new Promise((done) => proxy.close(done).closeAllConnections()));
  const origin = `${scheme}://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  app = await startApp({ redisAddress, env: { BASE_URL: origin, TRUST_PROXY: '1' } });
  return { origin, app };
}

afterEach(() => {
  onQuestion = async () => 'pass';
});

const newEmail = () => `${crypto.randomUUID()}@example.com`;

async function signedIn(origin: string, email = newEmail()): Promise<{ profile: BrowserContext; page: Page }> {
  const profile = await openProfile({ expectedNoise: /status of (404|422|503)/ });
  const page = await profile.newPage();
  await signIn(page, origin, email);
  return { profile, page };
}

async function logOut(page: Page, origin: string): Promise<void> {
  const button = page.getByRole('banner').getByRole('button', { name: 'Log out' });
  await button.click();
  await page.waitForURL(`${origin}/`);
  // The page may have been there before.
  await button.waitFor({ state: 'detached' });
}

/** Ends all sessions of an address from another device. */
async function endElsewhere(email: string): Promise<void> {
  const other = new Visitor(http.app.url);
  await other.signIn(email);
  await other.post('/admin/end-other-sessions');
  await other.post('/logout');
}

/** Playwright's own way back waits for a load that a page out of the cache never has. */
async function goBack(page: Page): Promise<void> {
  await page.evaluate('void history.back()');
}

/** Headless pages are always visible, so the change is only told. */
async function becomeVisible(page: Page): Promise<void> {
  await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
}

const loginPage = (page: Page) => page.getByRole('heading', { name: 'Please login first.' }).waitFor();

/** The page has made way for a notice, which leads to the login form and back to the page. */
async function expectNotice(page: Page): Promise<void> {
  await page.getByRole('alert').getByRole('heading', { name: 'Your session has ended' }).waitFor();
  expect(await page.getByText('Hello').isVisible()).toBe(false);
  expect(await page.getByRole('banner').isVisible()).toBe(false);
  await page.getByRole('alert').getByRole('link', { name: 'Log in' }).click();
  await loginPage(page);
}

test('the way back from the notice leads to this site, whatever the path', async () => {
  const email = newEmail();
  const { page } = await signedIn(http.origin, email);
  await page.goto(`${http.origin}//evil.example/?page=2`);
  await endElsewhere(email);
  await becomeVisible(page);
  const link = page.getByRole('alert').getByRole('link', { name: 'Log in' });
  expect(await link.getAttribute('href')).toBe(`${http.origin}//evil.example/?page=2`);
});

test('a tab that is told while it sends a form asks until it gets an answer', async () => {
  const email = newEmail();
  const { page } = await signedIn(http.origin, email);
  await endElsewhere(email);
  let questions = 0;
  onQuestion = async () => (questions++ === 0 ? 'fail' : 'pass');
  await page.evaluate(`dispatchEvent(new Event('submit'));
    new BroadcastChannel('session-owner').postMessage('')`);
  await expectNotice(page);
  expect(questions).toBe(2);
});

test('an answer that comes late does not show a page again whose session has ended since', async () => {
  const email = newEmail();
  const { page } = await signedIn(http.origin, email);
  const late = gate();
  let questions = 0;
  await page.route('**/session-owner', async (route) => {
    const response = await route.fetch();
    questions += 1;
    if (questions === 1) await late.opened;
    await route.fulfill({ response });
  });
  await becomeVisible(page);
  await expect.poll(() => questions).toBe(1);
  await endElsewhere(email);
  await becomeVisible(page);
  const notice = page.getByRole('alert').getByRole('heading', { name: 'Your session has ended' });
  await notice.waitFor();
  late.open();
  // Its answer comes after the late one.
  await page.evaluate(`fetch('/session-owner').then((response) => response.text())`);
  expect([await notice.isVisible(), await page.getByText('Hello').isVisible()]).toEqual([true, false]);
});

test('a question that fails late does not hide a page that was confirmed meanwhile', async () => {
  const { page } = await signedIn(http.origin, newEmail());
  await page.evaluate(`globalThis.failures = 0;
    const { fetch } = globalThis;
    globalThis.fetch = (...given) => fetch(...given).then((response) => {
      if (!response.ok) failures += 1;
      return response;
    })`);
  await page.goto(`${http.origin}/livez`);
  const late = gate();
  let questions = 0;
  onQuestion = async () => {
    questions += 1;
    await late.opened;
    return 'fail';
  };
  await goBack(page);
  // For the page that comes back, and for the tab that is visible again.
  await expect.poll(() => questions).toBe(2);
  onQuestion = async () => 'pass';
  await becomeVisible(page);
  await page.getByText('Hello').waitFor();
  late.open();
  await expect.poll(() => page.evaluate('failures')).toBe(2);
  await page.evaluate(`fetch('/session-owner').then((response) => response.text())`);
  expect(await page.getByText('Hello').isVisible()).toBe(true);
  expect(await page.evaluate('failures')).toBe(2);
});

// ASVS 14.3.2, whatwg/html#7189
describe.each([
  ['http', http.origin],
  ['https', https.origin],
])('over %s, a page that was signed in', (_scheme, origin) => {
  test('is not seen again on Back after logout, not even while the browser finds out', async () => {
    const { page } = await signedIn(origin);
    await logOut(page, origin);
    const [asked, mayAnswer] = [gate(), gate()];
    onQuestion = async () => {
      asked.open();
      await mayAnswer.opened;
      return 'pass';
    };
    await goBack(page);
    // Only a page that comes out of the browser's memory asks.
    await asked.opened;
    await page.waitForURL(`${origin}/admin`, { waitUntil: 'commit' });
    expect(await page.getByText('Hello').isVisible()).toBe(false);
    mayAnswer.open();
    await loginPage(page);
    expect(page.url()).toBe(`${origin}/admin`);
  });

  test('goes from another tab as soon as its browser has logged out', async () => {
    const { profile, page } = await signedIn(origin);
    const otherTab = await profile.newPage();
    await otherTab.goto(`${origin}/admin?page=2#end`);
    await logOut(page, origin);
    await expectNotice(otherTab);
    expect(otherTab.url()).toBe(`${origin}/admin?page=2`);
  });

  test('goes from a tab that becomes visible after the session was ended elsewhere', async () => {
    const email = newEmail();
    const { page } = await signedIn(origin, email);
    await endElsewhere(email);
    await becomeVisible(page);
    await expectNotice(page);
  });

  test('comes back on Back as it was while its session lives', async () => {
    const { page } = await signedIn(origin);
    await page.evaluate(`document.title = 'kept in memory'`);
    await page.goto(`${origin}/`);
    await goBack(page);
    await page.waitForURL(`${origin}/admin`, { waitUntil: 'commit' });
    await page.getByText('Hello').waitFor();
    expect(await page.title()).toBe('kept in memory');
  });

  test('is loaded anew on Back when the browser cannot find out', async () => {
    const { page } = await signedIn(origin);
    await page.evaluate(`document.title = 'kept in memory'`);
    await page.goto(`${origin}/`);
    onQuestion = async () => 'fail';
    await goBack(page);
    await expect.poll(() => page.title()).toMatch(/^Your sessions/);
    await page.getByText('Hello').waitFor();
  });
});

describe('a tab with the login form, once another tab has logged in', () => {
  async function loginTabs(path: string): Promise<{ waiting: Page; other: Page }> {
    const profile = await openProfile();
    const [waiting, other] = [await profile.newPage(), await profile.newPage()];
    await waiting.goto(http.origin + path);
    return { waiting, other };
  }
  /** The pages that it loads from now on; icons may still be on their way. */
  const loadedBy = (page: Page) => {
    const urls: string[] = [];
    page.on('request', (request) => request.isNavigationRequest() && urls.push(request.url()));
    return urls;
  };

  test.each([
    ['/login?next=/admin?page=2', '/admin?page=2'],
    ['/', '/'],
    ['/admin', '/admin'],
    ['/admin?page=2', '/admin?page=2'],
  ])('shows who is signed in, at %s', async (path, arrival) => {
    const { waiting, other } = await loginTabs(path);
    const email = newEmail();
    await signIn(other, http.origin, email);
    await waiting.getByRole('main').getByText(email).waitFor();
    expect(waiting.url()).toBe(http.origin + arrival);
  });

  test('stays as it is where something was typed or sent, and logs somebody else in', async () => {
    const { waiting, other } = await loginTabs('/login');
    const refused = await waiting.context().newPage();
    await refused.goto(`${http.origin}/login`);
    await refused.getByLabel('E-mail address').fill('nobody');
    await refused.getByRole('main').getByRole('button', { name: 'Log in', exact: true }).click();
    await refused.getByRole('alert').waitFor();
    const lapsed = await waiting.context().newPage();
    await lapsed.goto(`${http.origin}/login`);
    // That of a form which has no page of its own.
    await lapsed.evaluate(`const form = document.querySelector('form');
      Object.assign(form, { action: '/admin/end-other-sessions', innerHTML: '' }).submit()`);
    await loginPage(lapsed);
    const email = newEmail();
    await waiting.getByLabel('E-mail address').fill(email);
    const idle = await waiting.context().newPage();
    await idle.goto(`${http.origin}/login`);
    const loaded = [loadedBy(waiting), loadedBy(refused), loadedBy(lapsed)];
    await signIn(other, http.origin, newEmail());
    // By then, each has had the message.
    await idle.waitForURL(`${http.origin}/admin`);
    expect([await waiting.getByLabel('E-mail address').inputValue(), ...loaded]).toEqual([email, [], [], []]);
    expect(await refused.getByLabel('E-mail address').inputValue()).toBe('nobody');
    await waiting.getByRole('main').getByRole('button', { name: 'Log in', exact: true }).click();
    await waiting.waitForURL(`${http.origin}/admin`);
    await waiting.getByText(`Hello ${email}`).waitFor();
  });
});

describe('what was typed into a page whose session has ended', () => {
  /** Sends a form whose answer is a page with this field. */
  async function answerLetter(page: Page, status: number, field: string): Promise<void> {
    await page.route('**/letter', async (route) => {
      const shown = await route.fetch({ url: `${http.origin}/`, method: 'GET' });
      const form = `<form method="post">${field}<button>Send the letter</button></form>`;
      const body = (await shown.text()).replace('</main>', `${form}</main>`);
      const { 'content-length': _, ...headers } = shown.headers();
      await route.fulfill({ status, headers, body });
    });
    await page.evaluate(`const form = Object.assign(document.createElement('form'), { method: 'post', action: '/letter' });
      document.body.append(form);
      form.submit()`);
    await page.getByRole('button', { name: 'Send the letter' }).waitFor();
  }

  async function typed(email: string): Promise<{ profile: BrowserContext; page: Page }> {
    const { profile, page } = await signedIn(http.origin, email);
    await page.evaluate(`document.querySelector('main').append(document.createElement('textarea'))`);
    await page.getByRole('textbox').fill('a long letter');
    return { profile, page };
  }

  test('is kept out of sight, and comes back once its owner has logged in again', async () => {
    const email = newEmail();
    const { page } = await typed(email);
    await endElsewhere(email);
    await becomeVisible(page);
    const notice = page.getByRole('alert');
    await expect.poll(() => notice.isVisible()).toBe(true);
    expect(await page.getByText(email).isVisible()).toBe(false);
    expect(await page.getByRole('banner').isVisible()).toBe(false);

    const newTab = page.waitForEvent('popup');
    await notice.getByRole('link').click();
    await signIn(await newTab, http.origin, email);
    await expect.poll(() => notice.isVisible()).toBe(false);
    expect(await page.getByRole('heading', { level: 1 }).isVisible()).toBe(true);
    expect(await page.getByRole('textbox').inputValue()).toBe('a long letter');
  });

  test('comes back with the title and the place on the page, whatever kind of part was hidden', async () => {
    const email = newEmail();
    const { page } = await typed(email);
    await page.evaluate(`document.title = 'A letter';
      const part = Object.assign(document.createElement('div'), { textContent: 'a part' });
      Object.assign(part.style, { display: 'flex', height: '5000px' });
      document.body.append(part);
      scrollTo(0, 900)`);
    await endElsewhere(email);
    await becomeVisible(page);
    const notice = page.getByRole('alert');
    await expect.poll(() => notice.isVisible()).toBe(true);
    expect(await page.title()).toBe('Session ended – A letter');
    expect(await page.getByText('a part').isVisible()).toBe(false);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width: 360, height: 640 });
      expect([...(await axeFindings(page)), ...(await overflow(page))]).toEqual([]);
    }
    await page.setViewportSize({ width: 1280, height: 720 });
    await signIn(await page.context().newPage(), http.origin, email);
    await expect.poll(() => notice.isVisible()).toBe(false);
    expect([await page.title(), await page.evaluate('scrollY')]).toEqual(['A letter', 900]);
  });

  test.each([
    ['came back with a mistake', 422, '<textarea name="letter">a long letter</textarea>'],
    ['failed on our side', 503, '<input type="hidden" name="letter" value="a long letter">'],
  ])('is kept as well in a form that was sent and %s', async (_what, status, field) => {
    const email = newEmail();
    const { page } = await signedIn(http.origin, email);
    await answerLetter(page, status, field);
    await endElsewhere(email);
    await becomeVisible(page);
    const newTab = page.waitForEvent('popup');
    await page.getByRole('alert').getByRole('link', { name: 'Log in (opens a new tab)' }).click();
    await signIn(await newTab, http.origin, email);
    await page.getByRole('button', { name: 'Send the letter' }).waitFor();
    expect(await page.locator('[name=letter]').inputValue()).toBe('a long letter');
  });

  test('comes back with its title in a browser that translates pages', async () => {
    const email = newEmail();
    const { page } = await typed(email);
    await page.evaluate(`document.title = 'A letter'`);
    await endElsewhere(email);
    await becomeVisible(page);
    const notice = page.getByRole('alert');
    await notice.getByRole('heading', { name: 'Your session has ended' }).waitFor();
    await page.evaluate(`document.querySelector('[role=alert] h1').innerHTML = '<font>Ihre Sitzung ist zu Ende</font>';
      document.title = 'Sitzung beendet – Ein Brief'`);
    const answer = page.waitForResponse('**/session-owner');
    await becomeVisible(page);
    await (await answer).finished();
    expect(await notice.getByRole('heading').textContent()).toBe('Ihre Sitzung ist zu Ende');
    expect(await page.title()).toBe('Sitzung beendet – Ein Brief');
    await signIn(await page.context().newPage(), http.origin, email);
    await page.getByRole('textbox').waitFor();
    expect(await page.title()).toBe('A letter');
  });

  test.each([
    ['fails', 'fail'],
    ['gets no answer', 'lose'],
    ['is answered by somebody else', 'page'],
  ] as const)('is kept on Back where the question %s, and comes back', async (_how, fate) => {
    const { page } = await typed(newEmail());
    await page.evaluate(`var waitsShortly = true;
      const { timeout } = AbortSignal;
      AbortSignal.timeout = (ms) => timeout.call(AbortSignal, waitsShortly && ms === 15_000 ? 300 : ms)`);
    await page.goto(`${http.origin}/livez`);
    let isReachable = false;
    onQuestion = async () => (isReachable ? 'pass' : fate);
    await goBack(page);
    await page.getByRole('alert').getByRole('heading', { name: 'This page can’t be shown just now' }).waitFor();
    expect([await page.getByRole('textbox').isVisible(), await page.getByText('Hello').isVisible()]).toEqual([
      false,
      false,
    ]);
    isReachable = true;
    await page.evaluate('waitsShortly = false');
    await page.getByRole('textbox').waitFor();
    expect(await page.getByRole('textbox').inputValue()).toBe('a long letter');
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  test('is kept when the browser finds out that the session has ended', async () => {
    const email = newEmail();
    const { page } = await typed(email);
    await page.goto(`${http.origin}/livez`);
    await endElsewhere(email);
    let isReachable = false;
    onQuestion = async () => (isReachable ? 'pass' : 'fail');
    await goBack(page);
    const notice = page.getByRole('alert');
    await notice.getByRole('heading', { name: 'This page can’t be shown just now' }).waitFor();
    isReachable = true;
    await notice.getByRole('heading', { name: 'Your session has ended' }).waitFor();
    const newTab = page.waitForEvent('popup');
    await notice.getByRole('link', { name: 'Log in (opens a new tab)' }).click();
    await signIn(await newTab, http.origin, email);
    await page.getByRole('textbox').waitFor();
    expect(await page.title()).toMatch(/^Your sessions/);
  });

  test('is not shown to somebody else who logs in, and comes back once they have made way for its owner', async () => {
    const email = newEmail();
    const { profile, page } = await typed(email);
    const otherTab = await profile.newPage();
    await otherTab.goto(http.origin);
    await logOut(otherTab, http.origin);
    const notice = page.getByRole('alert');
    await expect.poll(() => notice.isVisible()).toBe(true);
    await signIn(otherTab, http.origin, newEmail());
    await notice.getByRole('heading', { name: 'Somebody else has logged in' }).waitFor();
    expect(await page.getByRole('textbox').isVisible()).toBe(false);
    const newTab = page.waitForEvent('popup');
    await notice.getByRole('link', { name: 'Log out (opens a new tab)' }).click();
    await (await newTab).waitForURL(`${http.origin}/`);
    await notice.getByRole('heading', { name: 'Your session has ended' }).waitFor();
    await signIn(await newTab, http.origin, email);
    await page.getByRole('textbox').waitFor();
    expect([await page.getByRole('textbox').inputValue(), await notice.count()]).toEqual(['a long letter', 0]);
    expect(await page.title()).toMatch(/^Your sessions/);
  });
});
