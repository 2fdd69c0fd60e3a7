// `npm run screenshots`: docs/*.png, from an app with a Redis and an inbox of its own.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import * as development from '../src/dev/index.ts';
import type { Mail } from '../src/features/mail/delivery.ts';
import { askForCode, enterCode, fillCode } from '../test/email-code/browser.ts';
import { catchIn } from '../test/email-code/caught-mails.ts';
import { withPictureApp } from './picture-app.ts';

const pictures = fileURLToPath(new URL('../docs/', import.meta.url));
const phone = { width: 400, height: 800 };
const pixelsPerPixel = 2;
const email = 'ada@example.com';
const otherDevices = [
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15',
  'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
];
const thisDevice =
  'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36';

type Scheme = 'light' | 'dark';
const schemes: Scheme[] = ['light', 'dark'];
const backdrops: Record<Scheme, string> = { light: '#dfe4ee', dark: '#05070a' };

const catcher = new development.MailCatcher();
await withPictureApp(
  { env: { SIGN_IN: 'code' }, development: { ...development, ...catchIn(catcher.mails) } },
  async (browser, url) => {
    for (const userAgent of otherDevices) await signIn(await open(browser, userAgent), url, catcher);
    await takePictures(browser, url, catcher);
  },
);

// The way in: the address, the code, the sessions.
async function takePictures(browser: Browser, url: string, { mails }: development.MailCatcher): Promise<void> {
  const page = await open(browser, thisDevice);
  const screens: Record<Scheme, Buffer[]> = { light: [], dark: [] };
  async function takeBoth(): Promise<void> {
    for (const colorScheme of schemes) {
      await page.emulateMedia({ colorScheme });
      screens[colorScheme].push(await page.screenshot({ animations: 'disabled' }));
    }
  }
  await page.goto(`${url}/login`);
  await page.getByLabel('E-mail address').fill(email);
  await takeBoth();
  await page.clock.install();
  const code = await codeFor(mails, () => askForCode(page, url, email));
  await fillCode(page, '48271935');
  // Until a new code is offered, or its countdown would show.
  await page.clock.runFor(31_000);
  await takeBoth();
  await enterCode(page, code);
  await sameTimes(page);
  await takeBoth();
  mkdirSync(pictures, { recursive: true });
  for (const scheme of schemes) await sideBySide(browser, screens[scheme], scheme);
}

async function open(browser: Browser, userAgent: string): Promise<Page> {
  const look = { viewport: phone, deviceScaleFactor: pixelsPerPixel, locale: 'en-GB', timezoneId: 'UTC' };
  const profile = await browser.newContext({ ...look, userAgent });
  return profile.newPage();
}

async function signIn(page: Page, url: string, { mails }: development.MailCatcher): Promise<void> {
  await enterCode(page, await codeFor(mails, () => askForCode(page, url, email)));
}

/** The code that doing this brings. */
async function codeFor(mails: Mail[], ask: () => Promise<void>): Promise<string> {
  const before = new Set(mails);
  await ask();
  for (;;) {
    const mail = mails.find((candidate) => !before.has(candidate) && candidate.subject.includes('is your code'));
    if (mail) return mail.subject.slice(0, '1234 5678'.length);
    await nextTurn();
  }
}

// The same times every time, so that a picture changes only when the pages do.
async function sameTimes(page: Page): Promise<void> {
  await page.locator('time').evaluateAll((elements) => {
    const times = elements.filter((element) => element instanceof HTMLTimeElement);
    const format = new Intl.DateTimeFormat('en-GB', {
      ...{ day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' },
      timeZone: 'UTC',
    });
    const signedInAt = Date.parse(times[0]?.dateTime ?? '');
    for (const time of times) {
      const minutesLater = Math.round((Date.parse(time.dateTime) - signedInAt) / 60_000);
      time.textContent = format.format(Date.UTC(2026, 10, 23, 9, 41 + minutesLater));
    }
  });
}

async function sideBySide(browser: Browser, screens: Buffer[], scheme: Scheme): Promise<void> {
  const gap = 36;
  const width = screens.length * (phone.width + gap) + gap;
  const viewport = { width, height: phone.height + 2 * gap };
  const page = await (await browser.newContext({ viewport, deviceScaleFactor: pixelsPerPixel })).newPage();
  const images = screens.map((png) => `<img src="data:image/png;base64,${png.toString('base64')}">`);
  await page.setContent(`<style>
    body { margin: 0; padding: ${gap}px; display: flex; gap: ${gap}px; background: ${backdrops[scheme]} }
    img { width: ${phone.width}px; border-radius: 24px; box-shadow: 0 6px 24px rgb(0 0 0 / 18%) }
    </style>${images.join('')}`);
  const name = scheme === 'dark' ? 'latchkey-dark.png' : 'latchkey.png';
  await page.screenshot({ path: join(pictures, name), animations: 'disabled' });
}
