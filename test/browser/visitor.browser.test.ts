import type { Page } from 'playwright-core';
import { beforeEach, describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { loginButton, signIn } from '../support/browser.ts';
import { heading, useTab } from '../support/browsing.ts';
import { keepOutOfLogs } from '../support/secrets.ts';
import { Visitor } from '../support/visitor.ts';

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0';

const { url } = await startApp();

describe.each([{ javaScriptEnabled: true }, { javaScriptEnabled: false }])('a visitor with %o', (options) => {
  const tab = useTab(() => [url], options);
  beforeEach(() => tab.reset());

  test('signs in, stays signed in, logs out, and comes back to the page that was asked for', async () => {
    const page = tab.page();
    const profile = page.context();
    await page.goto(url);
    await page.getByLabel('E-mail address').fill('Ada@Example.com');
    await loginButton(page).click();
    await page.waitForURL(`${url}/admin`);
    expect(await heading(page)).toBe('Hello ada@example.com');
    await page.reload();
    expect(await heading(page)).toBe('Hello ada@example.com');

    const secondTab = await profile.newPage();
    await secondTab.goto(url);
    expect(await secondTab.getByRole('main').textContent()).toContain('You are signed in as ada@example.com.');
    await secondTab.getByRole('link', { name: 'See your sessions' }).click();
    expect(await heading(secondTab)).toBe('Hello ada@example.com');

    await page.getByRole('banner').getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(`${url}/`);
    expect(await heading(page)).toMatch(/^Log in to /);
    expect(await profile.cookies()).toEqual([]);

    // ASVS 14.3.2: what the browser kept of a signed-in page is not shown again.
    await page.goBack();
    expect(await heading(page)).toBe('Please login first.');
    expect(await page.content()).not.toContain('ada@example.com');
    await secondTab.reload();
    expect(await heading(secondTab)).toBe('Please login first.');

    await logInFrom(secondTab, 'ada@example.com');
    await secondTab.waitForURL(`${url}/admin`);
    expect(await heading(secondTab)).toBe('Hello ada@example.com');
  });

  test('comes back to a page with a query after login', async () => {
    const page = tab.page();
    await page.goto(`${url}/admin?from=mail&n=1`);
    await logInFrom(page, 'back@example.com');
    await page.waitForURL(`${url}/admin?from=mail&n=1`);
  });

  test('is told what is wrong with an address, on the field, with the typed text kept', async () => {
    const page = tab.page();
    await page.goto(url);
    await page.getByLabel('E-mail address').fill('ada at example.com');
    await page.getByLabel('Keep me signed in').check();
    await loginButton(page).click();
    await page.waitForURL(`${url}/login`);
    const field = page.getByLabel('E-mail address');
    expect(await page.title()).toMatch(/^Error: Log in · /);
    expect(await field.inputValue()).toBe('ada at example.com');
    expect(await page.getByLabel('Keep me signed in').isChecked()).toBe(true);
    expect(await page.getByRole('alert').textContent()).toContain('That is not an e-mail address.');
    // As a screen reader gets it: the field is invalid and its description is the message.
    const snapshot = await field.evaluate((input) => ({
      invalid: input.getAttribute('aria-invalid'),
      description: input.ownerDocument.getElementById(input.getAttribute('aria-describedby') ?? '')?.textContent,
      focused: input.ownerDocument.activeElement === input,
    }));
    expect(snapshot).toEqual({
      invalid: 'true',
      description: await page.getByRole('alert').textContent(),
      focused: true,
    });

    await field.fill('ada@example.com');
    await field.press('Enter');
    await page.waitForURL(`${url}/admin`);
    expect(await heading(page)).toBe('Hello ada@example.com');
  });

  // An address that the browser's own check refuses, and one that a `maxlength` would cut into another.
  test.each(['jürgen@example.com', '"<script>alert(1)</script>"@example.com'])('signs in as %s', async (email) => {
    const page = tab.page();
    await signIn(page, url, email);
    expect(await heading(page)).toBe(`Hello ${email}`);
  });

  test('is not signed in under the beginning of an address that is too long', async () => {
    const page = tab.page();
    await page.goto(`${url}/login`);
    await page.getByLabel('E-mail address').fill(`ada@${'example.'.repeat(40)}org`);
    await loginButton(page).click();
    expect(await page.getByRole('alert').textContent()).toContain('up to 254 characters');
  });

  test('ends another session, and then all others', async () => {
    const email = `sessions-${options.javaScriptEnabled}@example.com`;
    const others = [1, 2, 3].map(() => new Visitor(url, { 'User-Agent': firefox }));
    for (const other of others) await other.signIn(email);
    const stillIn = async () => {
      const visits = await Promise.all(others.map((other) => other.get('/admin')));
      return visits.filter(({ status }) => status === 200).length;
    };
    const page = tab.page();
    await signIn(page, url, email);
    const sessions = page.getByRole('listitem');
    expect(await sessions.count()).toBe(4);
    expect(await sessions.first().textContent()).toContain('This session');

    await sessions.nth(1).getByRole('button', { name: 'End session 2 of 4: Firefox on Linux' }).click();
    await expect.poll(() => sessions.count()).toBe(3);
    expect(await stillIn()).toBe(2);

    await page.getByRole('button', { name: 'End all others' }).click();
    await expect.poll(() => sessions.count()).toBe(1);
    expect(await page.getByRole('button', { name: 'End' }).count()).toBe(0);
    expect(await stillIn()).toBe(0);
    expect(await heading(page)).toBe(`Hello ${email}`);

    await sessions.getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(`${url}/`);
    expect((await page.goto(`${url}/admin`))?.status()).toBe(401);
  });

  // ASVS 14.3.2. Here no `Clear-Site-Data` helps: the browser does not know that the session has ended.
  test('is not shown an old page by the back button after the session was ended elsewhere', async () => {
    const email = `elsewhere-${options.javaScriptEnabled}@example.com`;
    const page = tab.page();
    await signIn(page, url, email);
    await page.goto(url);
    const other = new Visitor(url);
    await other.signIn(email);
    await other.post('/admin/end-other-sessions');
    await page.goBack();
    expect(await heading(page)).toBe('Please login first.');
  });

  test('typed /logout signs out', async () => {
    const page = tab.page();
    await signIn(page, url, 'typed@example.com');
    await page.goto(`${url}/logout`);
    expect(page.url()).toBe(`${url}/`);
    expect((await page.goto(`${url}/admin`))?.status()).toBe(401);
  });
});

describe('in a browser with JavaScript', () => {
  const tab = useTab(() => [url], { locale: 'ar-EG', timezoneId: 'Asia/Tokyo' });
  beforeEach(() => tab.reset());

  test('the session cookie goes when the browser closes', async () => {
    const page = tab.page();
    await signIn(page, url, 'short@example.com');
    expect(await page.context().cookies()).toMatchObject([
      { name: 'session', expires: -1, httpOnly: true, sameSite: 'Lax', path: '/', domain: '127.0.0.1' },
    ]);
  });

  test('the session cookie outlives the browser for a visitor who asks to be kept signed in', async () => {
    const page = tab.page();
    await page.goto(url);
    await page.getByLabel('E-mail address').fill('long@example.com');
    await page.getByLabel('Keep me signed in for up to 30 days, or 14 days without a visit').check();
    await loginButton(page).click();
    await page.waitForURL(`${url}/admin`);
    expect(await page.getByRole('main').textContent()).toContain('until you have been away for 14 days');
    const [cookie] = await page.context().cookies();
    const days = ((cookie?.expires ?? 0) - Date.now() / 1000) / 86_400;
    expect(days).toBeGreaterThan(13.9);
    expect(days).toBeLessThanOrEqual(14);
  });

  test("an older client's XMLHttpRequest is answered done, and is signed in", async () => {
    const password = `pass-${crypto.randomUUID()}`;
    keepOutOfLogs(password);
    const page = tab.page();
    await page.goto(url);
    const answer = await page.evaluate(`new Promise((resolve, reject) => {
      const xhr = new XMLHttpRequest();
      xhr.open('POST', '/login');
      xhr.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
      xhr.setRequestHeader('X-Requested-With', 'XMLHttpRequest');
      xhr.onload = () => resolve({ status: xhr.status, text: xhr.responseText });
      xhr.onerror = reject;
      xhr.send('email=older%40example.com&pass=${password}');
    })`);
    expect(answer).toEqual({ status: 200, text: 'done' });
    await page.goto(`${url}/admin`);
    expect(await heading(page)).toBe('Hello older@example.com');
  });

  // An Arabic browser in Tokyo: the page is English, and so are its times, on the visitor's clock.
  test("times are on the visitor's clock, in the language of the page, and say so", async () => {
    const page = tab.page();
    await signIn(page, url, 'times@example.com');
    const times = await page.locator('time').evaluateAll((elements) =>
      elements.map((element) => ({
        moment: element.getAttribute('datetime') ?? '',
        lang: element.getAttribute('lang'),
        dir: element.getAttribute('dir'),
        text: element.textContent,
      })),
    );
    expect(times).toHaveLength(3);
    for (const { moment, lang, dir, text } of times) {
      const onClock = (timeZone: string) =>
        new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone }).format(new Date(moment));
      expect([lang, dir]).toEqual(['en-GB', 'auto']);
      expect(text).toMatch(new RegExp(String.raw`^\d{1,2} [A-Z][a-z]+(?: \d{4})?, ${onClock('Asia/Tokyo')}$`));
    }
  });
});

/** Logs in with the form of the page that asked for it. */
async function logInFrom(page: Page, email: string): Promise<void> {
  await page.getByLabel('E-mail address').fill(email);
  await loginButton(page).click();
}
