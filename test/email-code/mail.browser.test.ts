import { expect, test } from 'vitest';
import { axeFindings, overflow } from '../browser/findings.ts';
import { useChromium } from '../support/browsing.ts';
import { sampleMails } from './browser-pages.ts';

// No origin at all: a mail loads nothing, so that nobody sees when and where it is read.
const openProfile = useChromium(() => []);

test.each(sampleMails)('the mail "$subject" reads well, light and dark, on the smallest phone', async (mail) => {
  const page = await (await openProfile({ viewport: { width: 320, height: 640 } })).newPage();
  await page.setContent(mail.html);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    // A mail is a part of the page of whoever shows it, which has the landmarks.
    expect(await axeFindings(page, { except: ['region', 'landmark-one-main'] })).toEqual([]);
    expect(await overflow(page)).toEqual([]);
  }
  // Whoever reads the text instead reads the same.
  const words = (text: string | null) => (text ?? '').split(/\s+/).filter((word) => word !== '');
  const [button, link, ...others] = await page.getByRole('link').all();
  expect(others).toEqual([]);
  expect(await button?.getAttribute('href')).toBe(await link?.textContent());
  expect(await link?.getAttribute('href')).toBe(await link?.textContent());
  expect((await button?.boundingBox())?.height).toBeGreaterThanOrEqual(44);
  await button?.evaluate((element) => element.remove());
  expect(words(await page.locator('body').textContent())).toEqual(words(mail.text));
});
