// `npm run screenshots`: docs/*.png, from an app on a Redis of its own.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { createApp } from '../src/app.ts';
import { readConfig } from '../src/config.ts';
import { closeHttpServer, createHttpServer } from '../src/http-server.ts';
import { createLogger } from '../src/log.ts';
import { startPrivateRedis } from '../src/private-redis.ts';
import { connectRedis } from '../src/redis.ts';
import { launchChromium, signIn } from '../test/support/browser.ts';

const pictures = fileURLToPath(new URL('../docs/', import.meta.url));
const desktop = { width: 1120, height: 640 };
const phone = { width: 390, height: 760 };
const email = 'ada@example.com';
const otherDevices = [
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15',
  'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36',
  'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
];
const thisDevice = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0';

const data = mkdtempSync(join(tmpdir(), 'latchkey-screenshots-'));
try {
  const privateRedis = await startPrivateRedis(data);
  try {
    await withApp(privateRedis.socketPath);
  } finally {
    await privateRedis.stop();
  }
} finally {
  rmSync(data, { recursive: true, force: true });
}

async function withApp(socketPath: string): Promise<void> {
  const log = createLogger('fatal');
  const redis = await connectRedis({ socketPath }, log);
  const secrets: [string] = [crypto.randomUUID()];
  const app = createApp({ config: readConfig({}), secrets, redis, log, isClosing: () => false });
  const server = createHttpServer(app);
  const browser = await launchChromium();
  try {
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    await takePictures(browser, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    await browser.close();
    await closeHttpServer(server);
    redis.destroy();
  }
}

async function takePictures(browser: Browser, url: string): Promise<void> {
  mkdirSync(pictures, { recursive: true });
  for (const userAgent of otherDevices) await signIn(await open(browser, { userAgent }), url, email);
  for (const colorScheme of ['light', 'dark'] as const) {
    const suffix = colorScheme === 'dark' ? '-dark' : '';
    const look = { colorScheme, userAgent: thisDevice };

    const page = await open(browser, { ...look, viewport: desktop });
    await page.goto(url);
    await picture(page, `home${suffix}`);
    await page.goto(`${url}/login`);
    await picture(page, `login${suffix}`);
    await signIn(page, url, email);
    await picture(page, `admin${suffix}`);
    await logOut(page, url);

    const small = await open(browser, { ...look, viewport: phone });
    await small.goto(`${url}/login`);
    await picture(small, `login-phone${suffix}`);
    await signIn(small, url, email);
    await picture(small, `admin-phone${suffix}`);
    await logOut(small, url);
  }
}

async function open(browser: Browser, options: BrowserContextOptions): Promise<Page> {
  const profile = await browser.newContext({ locale: 'en-GB', timezoneId: 'UTC', ...options });
  return profile.newPage();
}

async function logOut(page: Page, url: string): Promise<void> {
  await page.getByRole('banner').getByRole('button', { name: 'Log out' }).click();
  await page.waitForURL(`${url}/`);
}

async function picture(page: Page, name: string): Promise<void> {
  // The same times every time, so that a picture changes only when the pages do.
  await page.locator('time').evaluateAll((elements) => {
    const times = elements.filter((element) => element instanceof HTMLTimeElement);
    const format = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' });
    const signedInAt = Date.parse(times[0]?.dateTime ?? '');
    for (const time of times) {
      const minutesLater = Math.round((Date.parse(time.dateTime) - signedInAt) / 60_000);
      time.textContent = format.format(Date.UTC(2026, 10, 23, 9, 41 + minutesLater));
    }
  });
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true, animations: 'disabled' });
}
