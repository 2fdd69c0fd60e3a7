// `npm run screenshots:live-tabs`: docs/live-tabs.png and docs/live-tabs-dark.png, two tabs of one browser in which a session
// ends. From an app with a Redis of its own.
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { createApp, openRedis } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import * as development from '../../src/dev/index.ts';
import { closeHttpServer } from '../../src/http/http-server.ts';
import { createLogger } from '../../src/log.ts';
import { launchChromium, signIn } from '../../test/support/browser.ts';

const size = { width: 400, height: 620 };
const email = 'ada@example.com';
type Scheme = 'light' | 'dark';
const schemes: Scheme[] = ['light', 'dark'];
const looks = {
  light: { backdrop: '#dfe4ee', text: '#1d2433', name: 'live-tabs.png' },
  dark: { backdrop: '#05070a', text: '#e6e9f0', name: 'live-tabs-dark.png' },
};
const steps = ['signed in, in two tabs', 'a letter is typed', 'the session is ended elsewhere', 'logged in again'];

type Frames = Record<Scheme, Buffer[]>;

const data = mkdtempSync(join(tmpdir(), 'latchkey-screenshots-'));
const privateRedis = await development.startPrivateRedis(data);
try {
  await withApp(privateRedis.socketPath);
} finally {
  await privateRedis.stop();
  rmSync(data, { recursive: true, force: true });
}

async function withApp(socketPath: string): Promise<void> {
  const log = createLogger('fatal');
  const config = readConfig({ SIGN_IN: 'trust' });
  const { client: redis } = await openRedis({ kind: 'single', address: { socketPath } }, config, log);
  const secrets: [string] = [crypto.randomUUID()];
  const { server, services } = createApp({ config, secrets, redis, log, isClosing: () => false, development });
  for (const service of services) await service.start?.();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const browser = await launchChromium();
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await takeFrames(browser, url);
  } finally {
    await browser.close();
    await closeHttpServer(server);
    for (const service of services) await service.stop?.();
    redis.destroy();
  }
}

async function takeFrames(browser: Browser, url: string): Promise<void> {
  const profile = await browser.newContext({
    viewport: size,
    deviceScaleFactor: 2,
    locale: 'en-GB',
    timezoneId: 'UTC',
  });
  const tabs: [Page, Page] = [await profile.newPage(), await profile.newPage()];
  const [list, letter] = tabs;
  const frames: [Frames, Frames] = [
    { light: [], dark: [] },
    { light: [], dark: [] },
  ];
  async function takeAll(): Promise<void> {
    for (const [index, tab] of tabs.entries()) {
      await sameTimes(tab);
      for (const colorScheme of schemes) {
        await tab.emulateMedia({ colorScheme });
        frames[index]?.[colorScheme].push(await tab.screenshot({ animations: 'disabled' }));
      }
    }
  }
  const notice = (tab: Page) => tab.getByRole('heading', { name: 'Your session has ended' });

  await signIn(list, url, email);
  await letter.goto(`${url}/`);
  // What a fork has: a page with a form.
  await letter.locator('main .card').evaluate((card) => {
    card.innerHTML =
      '<h1>A letter</h1><div class="field"><label for="letter">Text</label><textarea id="letter" rows="8"></textarea></div>';
  });
  await takeAll();
  await letter.getByRole('textbox').fill('Dear Charles,\n\nthe engine might compose elaborate pieces of music.');
  await takeAll();
  const elsewhere = await (await browser.newContext()).newPage();
  await signIn(elsewhere, url, email);
  await elsewhere.getByRole('button', { name: 'End all others' }).click();
  await Promise.all(tabs.map((tab) => notice(tab).waitFor()));
  await takeAll();
  await signIn(list, url, email);
  await notice(letter).waitFor({ state: 'detached' });
  await takeAll();
  for (const scheme of schemes) await strip(browser, frames, scheme);
}

// The same times every time, so that a picture changes only when the pages do.
async function sameTimes(tab: Page): Promise<void> {
  await tab.locator('time').evaluateAll((times) => {
    for (const [index, time] of times.entries()) time.textContent = `23 Nov, ${index === 1 ? '17' : '09'}:41`;
  });
}

async function strip(browser: Browser, frames: [Frames, Frames], scheme: Scheme): Promise<void> {
  const { backdrop, text, name } = looks[scheme];
  const gap = 28;
  const width = steps.length * (size.width + gap) + gap;
  const page = await (await browser.newContext({ viewport: { width, height: 400 } })).newPage();
  const heads = steps.map((step, index) => `<p>${index + 1}. ${step}</p>`);
  const images = frames.flatMap((tab) =>
    tab[scheme].map((png) => `<img src="data:image/png;base64,${png.toString('base64')}">`),
  );
  await page.setContent(`<style>
    body { margin: 0; padding: ${gap}px; display: grid; grid-template-columns: repeat(${steps.length}, ${size.width}px);
      gap: ${gap}px; background: ${backdrop}; color: ${text}; font: 500 20px system-ui, sans-serif }
    p { margin: 0 }
    img { width: ${size.width}px; border-radius: 16px; box-shadow: 0 6px 24px rgb(0 0 0 / 18%) }
    </style>${[...heads, ...images].join('')}`);
  const path = fileURLToPath(new URL(`../../docs/${name}`, import.meta.url));
  await page.screenshot({ path, fullPage: true, animations: 'disabled' });
}
