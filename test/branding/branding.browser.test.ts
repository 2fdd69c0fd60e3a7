import { expect, test } from 'vitest';
import { axeFindings, overflow } from '../browser/findings.ts';
import { afterwards } from '../support/afterwards.ts';
import { startApp } from '../support/app.ts';
import { launchChromium, signIn } from '../support/browser.ts';
import { newFile, svg } from './pictures.ts';

const browser = await launchChromium({ headlessShell: true });
afterwards(() => browser.close());

// Yellow can't be read on white, nor navy on black.
test.each(['#ffd400', '#101040'])('with the color %s and a wide logo, axe objects to no page', async (color) => {
  const env = { SITE_COLOR: color, SITE_LOGO: newFile('wide.svg', svg('', '0 0 800 100')) };
  const { url } = await startApp({ env });
  for (const colorScheme of ['light', 'dark'] as const) {
    const context = await browser.newContext({ colorScheme, viewport: { width: 320, height: 700 } });
    const page = await context.newPage();
    for (const open of [() => page.goto(`${url}/login`), () => signIn(page, url, 'ann@example.com')]) {
      await open();
      expect(await axeFindings(page)).toEqual([]);
      expect(await overflow(page)).toEqual([]);
    }
    await context.close();
  }
});

test('a script in a logo does not run, neither in a page nor where the logo is opened by itself', async () => {
  const call = (from: string) => `fetch("/livez?from=${from}")`;
  const scripts = `<script>${call('script')}</script><rect width="9" height="9" onload='${call('onload')}'/>`;
  const outside = '<script href="/local-times.js"/><image href="/favicon.svg" width="9" height="9"/>';
  const { url } = await startApp({ env: { SITE_LOGO: newFile('logo.svg', svg(scripts + outside)) } });
  const page = await browser.newPage();
  const answered: string[] = [];
  page.on('response', (response) => answered.push(response.url().replace(url, '')));
  await page.goto(`${url}/login`, { waitUntil: 'networkidle' });
  const logo = await page.locator('.brand img').getAttribute('src');
  expect(
    await page.locator('.brand img').evaluate((image) => image instanceof HTMLImageElement && image.naturalWidth > 0),
  ).toBe(true);
  answered.length = 0;
  await page.goto(url + logo, { waitUntil: 'networkidle' });
  expect(answered.filter((path) => path !== '/favicon.ico')).toEqual([logo]);
  await page.close();
});
