import type { Locator, Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { tagOf } from '../../src/session/session-id.ts';
import { afterwards } from '../support/afterwards.ts';
import { heading, useChromium } from '../support/browsing.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { counterKey, newAddress, newIp, startCodeApp } from './code-login.ts';
import { linkIn } from './links.ts';

const { url: directUrl, redis, mails } = await startCodeApp();
const link = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(directUrl).port) });
afterwards(link.close);
const url = `http://127.0.0.1:${link.port}`;
const openProfile = useChromium(() => [url]);

function mainButton(page: Page): Locator {
  return page.locator('form button.primary');
}

/** Presses the button of a form twice, on a link so slow that no answer arrives before both forms have been sent. */
async function pressTwice(page: Page): Promise<void> {
  const { x = 0, y = 0, width = 0, height = 0 } = (await mainButton(page).boundingBox()) ?? {};
  link.holdAnswers();
  await page.mouse.move(x + width / 2, y + height / 2);
  for (const _press of ['first', 'second']) {
    const isSent = page.waitForRequest((request) => request.method() === 'POST');
    await page.mouse.down();
    await page.mouse.up();
    await isSent;
  }
  link.release();
}

describe.each([{ javaScriptEnabled: true }, { javaScriptEnabled: false }])('a visitor with %o', (options) => {
  test('who presses each button twice gets one mail, one session and one notice', async () => {
    const email = newAddress();
    const profile = await openProfile({ ...options, extraHTTPHeaders: { 'X-Forwarded-For': newIp() } });
    const page = await profile.newPage();
    await page.goto(`${url}/login`);
    await page.getByLabel('E-mail address').fill(email);
    await pressTwice(page);
    await page.waitForURL(`${url}/login/code`);
    const code = await mails.codeFor(email);
    expect(await redis.get(counterKey(email, 'mail:3600'))).toBe('1');

    // One digit is missing, so that the page does not submit itself.
    await page.getByLabel('Code').fill(code.slice(0, 7));
    await page.getByLabel('Code').evaluate((field, whole) => Object.assign(field, { value: whole }), code);
    await pressTwice(page);
    await page.waitForURL(`${url}/admin`);
    expect(await heading(page)).toBe(`Hello ${email}`);
    expect(await redis.zCard(tagOf(email))).toBe(1);
    const notice = await mails.mailTo(email, 'notice');
    await page.reload();
    expect(await heading(page)).toBe(`Hello ${email}`);

    await page.goto(linkIn(notice).replace(directUrl, url));
    await pressTwice(page);
    const over = /^(The session has been|That session had already) ended$/;
    await page.getByRole('heading', { name: over }).waitFor();
    await page.reload();
    expect(await heading(page)).toMatch(over);
  });

  test('who asks in two tabs enters either code in the tab that it is for', async () => {
    const [ann, bob] = [newAddress(), newAddress()];
    const profile = await openProfile({ ...options, extraHTTPHeaders: { 'X-Forwarded-For': newIp() } });
    const [first, second] = [await profile.newPage(), await profile.newPage()];
    for (const [page, email] of [
      [first, ann],
      [second, bob],
    ] as const) {
      await page.goto(`${url}/login`);
      await page.getByLabel('E-mail address').fill(email);
      await mainButton(page).click();
      await page.waitForURL(`${url}/login/code`);
    }
    await first.getByLabel('Code').fill(await mails.codeFor(ann));
    if (!options.javaScriptEnabled) await mainButton(first).click();
    await first.waitForURL(`${url}/admin`);
    expect(await heading(first)).toBe(`Hello ${ann}`);
    // It would notice the second sign-in, and load again.
    await first.close();
    await second.reload();
    expect(await second.getByRole('main').textContent()).toContain(bob);
    await second.getByLabel('Code').fill(await mails.codeFor(bob));
    if (!options.javaScriptEnabled) await mainButton(second).click();
    await second.waitForURL(`${url}/admin`);
    expect(await heading(second)).toBe(`Hello ${bob}`);
  });
});

test('the link of a mail fills the code in for whichever of the waiting sign-ins it is', async () => {
  const [ann, bob] = [newAddress(), newAddress()];
  const profile = await openProfile({ extraHTTPHeaders: { 'X-Forwarded-For': newIp() } });
  const page = await profile.newPage();
  for (const email of [ann, bob]) {
    await page.goto(`${url}/login`);
    await page.getByLabel('E-mail address').fill(email);
    await mainButton(page).click();
    await page.waitForURL(`${url}/login/code`);
  }
  const opened = await profile.newPage();
  await opened.goto(`${url}/login/code#${await mails.codeFor(ann)}`);
  await mainButton(opened).click();
  await opened.waitForURL(`${url}/admin`);
  expect(await heading(opened)).toBe(`Hello ${ann}`);
});
