import type { BrowserContext, Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { expectWholeInView, loginButton } from '../support/browser.ts';
import { heading, useChromium } from '../support/browsing.ts';
import { keepOutOfLogs } from '../support/secrets.ts';
import { askForCode, askForNewCode, enterCode, fillCode, stopClock } from './browser.ts';
import { newAddress, newIp, startCodeApp, wrongCode } from './code-login.ts';
import { linkIn } from './links.ts';

const { url, server, redis, mails } = await startCodeApp();
const codePage = `${url}/login/code`;
const openProfile = useChromium(() => [url]);

const sentAtLastDigit = 'It is sent as soon as you have entered the last digit.';

// All that could carry a code away: what the app, a proxy or a log of either gets to see of a request.
const seenByServer: string[] = [];
server.on('request', ({ method, url: path, headers }) => {
  seenByServer.push(`${method} ${path} ${headers.referer}`);
});

describe.each([{ javaScriptEnabled: true }, { javaScriptEnabled: false }])('a visitor with %o', (options) => {
  /** Each comes from an address of its own, or the limit per client would be met by all together. */
  const openBrowser = () => openProfile({ ...options, extraHTTPHeaders: { 'X-Forwarded-For': newIp() } });

  /** A page that asks for the code, and the code. */
  async function waiting(email = newAddress()): Promise<{ profile: BrowserContext; page: Page; code: string }> {
    const profile = await openBrowser();
    const page = await profile.newPage();
    await askForCode(page, url, email);
    return { profile, page, code: await mails.codeFor(email) };
  }

  test('signs in with the code from the mail, and is led on to the page that was asked for', async () => {
    const email = newAddress();
    const page = await (await openBrowser()).newPage();
    await page.goto(`${url}/admin?from=mail&n=1`);
    expect(await page.getByRole('main').textContent()).toContain('No password needed: we mail you a code');
    await page.getByLabel('E-mail address').fill(email);
    await loginButton(page).click();
    await page.waitForURL(codePage);
    expect(await heading(page)).toBe('Check your mail');
    expect(await page.getByRole('main').textContent()).toContain(email);
    const { description = '', ...state } = await fieldState(page, 'Code');
    expect(state).toEqual({ typed: '', focused: true, invalid: null });
    expect(description).toContain(`on its way to ${email}`);
    // What a script does, only a script tells (WCAG 3.2.2).
    expect(description.endsWith(sentAtLastDigit)).toBe(options.javaScriptEnabled);
    expect(await page.getByText(sentAtLastDigit).isVisible()).toBe(options.javaScriptEnabled);
    // What a phone goes by when it offers the code of a mail, and its number keys.
    const field = page.getByLabel('Code');
    expect(await field.getAttribute('autocomplete')).toBe('one-time-code');
    expect(await field.getAttribute('inputmode')).toBe('numeric');
    const code = await mails.codeFor(email);
    await page.keyboard.type(` ${code.slice(0, 2)}-${code.slice(2, 5)} ${code.slice(5)}`);
    if (!options.javaScriptEnabled) await page.keyboard.press('Enter');
    await page.waitForURL(`${url}/admin?from=mail&n=1`);
    expect(await heading(page)).toBe(`Hello ${email}`);
  });

  test('is told at the field that a code is wrong, and how many tries are left', async () => {
    const { page, code } = await waiting();
    const attempts = [
      {
        typed: wrongCode(code),
        problem: 'That is not the code. If you got several mails, use the newest one. You have four tries left.',
        kept: '',
      },
      { typed: '123 4567', problem: 'Enter the eight digits of the code.', kept: '123 4567' },
      {
        typed: wrongCode(code, 2),
        problem: 'That is not the code. If you got several mails, use the newest one. You have three tries left.',
        kept: '',
      },
    ];
    for (const { typed, problem, kept } of attempts) {
      await enterCode(page, typed);
      expect(await page.title()).toMatch(/^Error: Check the code · /);
      expect(await page.getByRole('alert').textContent()).toBe(problem);
      expect(await fieldState(page, 'Code')).toEqual({
        typed: kept,
        focused: true,
        invalid: 'true',
        description: options.javaScriptEnabled ? `${problem} ${sentAtLastDigit}` : problem,
      });
    }
    await enterCode(page, code);
    expect(page.url()).toBe(`${url}/admin`);
  });

  test('sees at 400 % zoom what is wrong with a code, and that it is over', async () => {
    const { page, code } = await waiting();
    await page.setViewportSize({ width: 320, height: 256 });
    for (let time = 1; time <= 5; time += 1) {
      await enterCode(page, wrongCode(code, time));
      for (const part of [page.getByRole('alert'), page.locator('[autofocus]')]) await expectWholeInView(part);
    }
    expect(await page.getByRole('alert').textContent()).toContain('That code can no longer be used.');
  });

  test('starts again with the same address and choice when the tries are used up', async () => {
    const email = newAddress();
    const profile = await openBrowser();
    const page = await profile.newPage();
    await page.goto(`${url}/login?next=/admin?from=mail`);
    await page.getByLabel('E-mail address').fill(email);
    await page.getByLabel('Keep me signed in').check();
    await loginButton(page).click();
    await page.waitForURL(codePage);
    const code = await mails.codeFor(email);
    for (let time = 1; time <= 5; time += 1) await enterCode(page, wrongCode(code, time));

    const notice = 'That code can no longer be used. Ask for a new one here.';
    expect(await page.title()).toMatch(/^Error: Log in · /);
    expect(await page.getByRole('alert').textContent()).toBe(notice);
    expect(await fieldState(page, 'E-mail address')).toEqual({
      ...{ typed: email, focused: true, invalid: null, description: notice },
    });
    await page.keyboard.press('Enter');
    await page.waitForURL(codePage);
    await enterCode(page, await mails.codeFor(email, 2));
    expect(page.url()).toBe(`${url}/admin?from=mail`);
    expect(await page.getByRole('main').textContent()).toContain('until you have been away for 14 days');
  });

  test('starts again when the code has lapsed', async () => {
    const email = newAddress();
    const { page, code } = await waiting(email);
    await redis.del(await redis.keys('c:*'));
    await enterCode(page, code);
    expect(await page.getByRole('alert').textContent()).toContain('That code can no longer be used.');
    expect(await fieldState(page, 'E-mail address')).toMatchObject({ typed: email, focused: true });
  });

  test('gets a new code, which ends the one before and keeps the choice to stay signed in', async () => {
    const email = newAddress();
    const profile = await openBrowser();
    const page = await profile.newPage();
    await page.goto(url);
    await page.getByLabel('E-mail address').fill(email);
    await page.getByLabel('Keep me signed in').check();
    await loginButton(page).click();
    await page.waitForURL(codePage);
    const first = await mails.codeFor(email);
    await askForNewCode(page);
    await page.waitForURL(`${codePage}?sent=again`);
    expect(await page.getByRole('status').textContent()).toMatch(/^A new code is on its way/);
    const described = expect.stringMatching(/^A new code is on its way.*on its way to/);
    expect(await fieldState(page, 'Code')).toMatchObject({ focused: true, description: described });
    const second = await mails.codeFor(email, 2);
    await enterCode(page, first);
    expect(await page.getByRole('alert').textContent()).toContain('That is not the code.');
    await enterCode(page, second);
    expect(page.url()).toBe(`${url}/admin`);
    const session = (await profile.cookies()).find(({ name }) => name === 'session');
    expect(((session?.expires ?? 0) - Date.now() / 1000) / 86_400).toBeCloseTo(14, 1);
  });

  test('uses another address instead', async () => {
    const { page, code } = await waiting();
    const other = newAddress();
    await page.getByRole('link', { name: 'Use another address' }).click();
    await page.waitForURL(`${url}/login`);
    await page.getByLabel('E-mail address').fill(other);
    await loginButton(page).click();
    await page.waitForURL(codePage);
    await enterCode(page, code);
    expect(await page.getByRole('alert').textContent()).toContain('That is not the code.');
    await enterCode(page, await mails.codeFor(other));
    expect(await heading(page)).toBe(`Hello ${other}`);
  });

  // ASVS 6.6.2
  test('types a code only where it was asked for: the link of the mail, opened elsewhere, has no form', async () => {
    const email = newAddress();
    const { page, code } = await waiting(email);
    const link = linkIn(await mails.mailTo(email, 'code'));
    const elsewhere = await (await openBrowser()).newPage();
    await elsewhere.goto(link);
    expect(await heading(elsewhere)).toBe('Enter the code where you asked for it');
    expect(await elsewhere.getByRole('textbox').count()).toBe(0);
    const shown = elsewhere.getByText(code.replace(/^(\d{4})/, '$1 '), { exact: true });
    expect(await shown.filter({ visible: true }).count()).toBe(options.javaScriptEnabled ? 1 : 0);
    if (options.javaScriptEnabled) expect(await history(elsewhere)).not.toContain(code);
    await elsewhere.getByRole('link', { name: 'Log in here instead' }).click();
    await elsewhere.waitForURL(`${url}/login`);

    // Nor has opening it used anything up (better-auth#9690).
    await enterCode(page, code);
    expect(await heading(page)).toBe(`Hello ${email}`);
    expect(seenByServer.filter((line) => line.includes(code))).toEqual([]);
  });

  test('keeps the code of a link out of the address where the browser is signed in already', async () => {
    const { page, code } = await waiting();
    await enterCode(page, code);
    const email = newAddress();
    await waiting(email);
    const other = await mails.codeFor(email);
    await page.goto(linkIn(await mails.mailTo(email, 'code')));
    expect(await heading(page)).toBe('Enter the code where you asked for it');
    if (options.javaScriptEnabled) {
      await page.getByText(other.replace(/^(\d{4})/, '$1 '), { exact: true }).waitFor();
      expect(await history(page)).not.toContain(other);
      await page.reload();
    } else await page.getByRole('link', { name: 'Go on here' }).click();
    await page.waitForURL(`${url}/admin`);
  });

  // ASVS 7.5.2
  test('ends a session of a stranger by the link of the notice', async () => {
    const email = newAddress();
    const own = await waiting(email);
    await enterCode(own.page, own.code);
    const stranger = await (await openBrowser()).newPage();
    await askForCode(stranger, url, email);
    await enterCode(stranger, await mails.codeFor(email, 2));
    expect(await heading(stranger)).toBe(`Hello ${email}`);

    const link = linkIn(await mails.mailTo(email, 'notice', 2));
    await own.page.goto(link);
    expect(await heading(own.page)).toBe('End this session?');
    await stranger.reload();
    expect(await heading(stranger)).toBe(`Hello ${email}`);
    await own.page.getByRole('button', { name: 'End the session' }).click();
    await own.page.getByRole('heading', { name: 'The session has been ended' }).waitFor();
    await stranger.reload();
    expect(await heading(stranger)).toBe('Please login first.');
    await own.page.goto(link);
    expect(await heading(own.page)).toBe('This link has been used, or is too old.');
    await own.page.goto(`${url}/admin`);
    expect(await heading(own.page)).toBe(`Hello ${email}`);
  });
});

describe('with JavaScript, the code form', () => {
  test('sends itself at the eighth digit, once, and after a wrong code only when a person changes it', async () => {
    const email = newAddress();
    const profile = await openProfile({ extraHTTPHeaders: { 'X-Forwarded-For': newIp() } });
    const page = await profile.newPage();
    let posts = 0;
    page.on('request', (request) => {
      if (request.method() === 'POST' && request.url() === codePage) posts += 1;
    });
    await askForCode(page, url, email);
    const code = await mails.codeFor(email);
    const wrong = wrongCode(code);
    const field = page.getByLabel('Code');
    await field.pressSequentially(wrong.slice(0, 7));
    expect(posts).toBe(0);
    const refused = page.waitForEvent('load');
    await field.press(wrong.slice(7));
    await refused;
    expect(await page.getByRole('alert').textContent()).toContain('That is not the code.');
    expect(posts).toBe(1);

    // A password manager fills in the same code again, and tells the page.
    await fillCode(page, wrong);
    await field.dispatchEvent('input');
    await page.evaluate('new Promise((done) => setTimeout(done))');
    expect(posts).toBe(1);
    await field.fill('');
    await field.pressSequentially(code);
    await page.waitForURL(`${url}/admin`);
    expect(posts).toBe(2);
  });

  test('offers a new code again after half a minute, and at once after a wrong one', async () => {
    const profile = await openProfile({ extraHTTPHeaders: { 'X-Forwarded-For': newIp() } });
    const page = await profile.newPage();
    await stopClock(page);
    await askForCode(page, url, newAddress());
    const again = page.getByRole('button', { name: 'Send a new code' });
    expect(await again.isEnabled()).toBe(false);
    expect(await again.textContent()).toBe('Send a new code in 30 s');
    // Somebody sets the clock back.
    await page.evaluate(`Date.now = () => ${Date.now() - 3_600_000}`);
    await page.clock.runFor(28_000);
    expect(await again.textContent()).toBe('Send a new code in 2 s');
    // The browser translates the page.
    const button = page.locator('#send-again');
    await page.evaluate(`document.querySelector('#send-again').firstChild.replaceWith(
      Object.assign(document.createElement('font'), { textContent: 'Neuen Code senden' }))`);
    await page.clock.runFor(1000);
    expect(await button.textContent()).toBe('Neuen Code senden in 1 s');
    await page.clock.runFor(2000);
    expect(await button.textContent()).toBe('Neuen Code senden');
    await button.click();
    await page.waitForURL(`${codePage}?sent=again`);
    expect(await again.isEnabled()).toBe(false);
    await enterCode(page, '1');
    expect(await again.isEnabled()).toBe(true);
  });
});

describe('the link of the mail, in the browser that asked', () => {
  test.each([
    ['a new tab', (page: Page) => page.context().newPage()],
    ['the tab that asks for the code', async (page: Page) => page],
  ])('opened in %s, fills the code in for one press of the button, and leaves it nowhere', async (_where, tabOf) => {
    const email = newAddress();
    const profile = await openProfile({ extraHTTPHeaders: { 'X-Forwarded-For': newIp() } });
    const asking = await profile.newPage();
    await askForCode(asking, url, email);
    const code = await mails.codeFor(email);
    const page = await tabOf(asking);
    await page.goto(linkIn(await mails.mailTo(email, 'code')));
    expect(await fieldState(page, 'Code')).toMatchObject({ typed: code, invalid: null });
    const button = page.getByRole('button', { name: 'Log in' });
    await expect.poll(() => button.evaluate((element) => element.matches(':focus')), { timeout: 5000 }).toBe(true);
    expect(page.url()).toBe(codePage);
    await page.keyboard.press('Enter');
    await page.waitForURL(`${url}/admin`);
    expect(await heading(page)).toBe(`Hello ${email}`);
    expect(await history(page)).not.toContain(code);
    expect(seenByServer.filter((line) => line.includes(code))).toEqual([]);
  });

  test('without JavaScript, asks for the code to be typed', async () => {
    const email = newAddress();
    const profile = await openProfile({ javaScriptEnabled: false });
    const page = await profile.newPage();
    await askForCode(page, url, email);
    await page.goto(linkIn(await mails.mailTo(email, 'code')));
    expect(await fieldState(page, 'Code')).toMatchObject({ typed: '', focused: true });
    await enterCode(page, await mails.codeFor(email));
    expect(await heading(page)).toBe(`Hello ${email}`);
  });
});

test("an older client's XMLHttpRequest is told that a code is needed, and done once it has sent it", async () => {
  const email = newAddress();
  const password = `pass-${crypto.randomUUID()}`;
  keepOutOfLogs(password);
  const page = await (await openProfile()).newPage();
  await page.goto(url);
  const send = (path: string, body: string) =>
    page.evaluate(`new Promise((resolve, reject) => {
      const xhr = new XMLHttpRequest();
      xhr.open('POST', '${path}');
      xhr.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
      xhr.setRequestHeader('X-Requested-With', 'XMLHttpRequest');
      xhr.onload = () => resolve({ status: xhr.status, text: xhr.responseText });
      xhr.onerror = reject;
      xhr.send('${body}');
    })`);
  const asked = await send('/login', `email=${encodeURIComponent(email)}&pass=${password}`);
  expect(asked).toEqual({ status: 202, text: 'code needed\n' });
  expect((await page.context().cookies()).map(({ name }) => name)).toEqual(['login']);
  const entered = await send('/login/code', `code=${await mails.codeFor(email)}`);
  expect(entered).toEqual({ status: 200, text: 'done' });
  await page.goto(`${url}/admin`);
  expect(await heading(page)).toBe(`Hello ${email}`);
});

/** A field as a screen reader gets it. */
function fieldState(page: Page, label: string) {
  return page.getByLabel(label, { exact: true }).evaluate((field) => ({
    typed: field instanceof HTMLInputElement ? field.value : undefined,
    focused: field.matches(':focus'),
    invalid: field.getAttribute('aria-invalid'),
    description: (field.getAttribute('aria-describedby') ?? '')
      .split(' ')
      .map((id) => document.getElementById(id)?.textContent)
      .join(' '),
  }));
}

/** The addresses to which the tab can go back and forward. */
async function history(page: Page): Promise<string> {
  const devTools = await page.context().newCDPSession(page);
  const { entries } = await devTools.send('Page.getNavigationHistory');
  return entries.map((entry) => entry.url).join(' ');
}
