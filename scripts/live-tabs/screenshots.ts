// `npm run screenshots:live-tabs`: docs/live-tabs.png and docs/live-tabs-dark.png, two tabs of one browser in which a session
// ends. From an app with a Redis of its own.
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { signIn } from '../../test/support/browser.ts';
import { withPictureApp } from '../picture-app.ts';

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

await withPictureApp({ env: { SIGN_IN: 'trust' } }, takeFrames);

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
