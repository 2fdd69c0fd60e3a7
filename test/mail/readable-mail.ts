import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import type { Mail } from '../../src/features/mail/delivery.ts';
import { axeFindings, overflow } from '../browser/findings.ts';

/** Fails unless a mail reads well in this page, light and dark, and its text says the same as its HTML. */
export async function expectReadable(page: Page, mail: Mail): Promise<void> {
  await page.setContent(mail.html);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    // A mail is a part of the page of whoever shows it, which has the landmarks.
    expect(await axeFindings(page, { except: ['region', 'landmark-one-main'] })).toEqual([]);
    expect(await overflow(page)).toEqual([]);
  }
  const words = (text: string | null) => (text ?? '').split(/\s+/).filter((word) => word !== '');
  const [button, link, ...others] = await page.getByRole('link').all();
  expect(others).toEqual([]);
  expect(await button?.getAttribute('href')).toBe(await link?.textContent());
  expect(await link?.getAttribute('href')).toBe(await link?.textContent());
  expect((await button?.boundingBox())?.height).toBeGreaterThanOrEqual(44);
  await button?.evaluate((element) => element.remove());
  expect(words(await page.locator('body').textContent())).toEqual(words(mail.text));
}
