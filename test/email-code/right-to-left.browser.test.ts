import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { useChromium } from '../support/browsing.ts';
import { sampleMails } from './browser-pages.ts';
import { startCodeApp } from './code-login.ts';

const { url } = await startCodeApp();
const openProfile = useChromium(() => [url]);
const [codeMail] = sampleMails;

/** Whether the first half of a code stands left of the second one, as it was sent. */
function isInOrder(page: Page, selector: string): Promise<boolean> {
  return page.locator(selector).evaluate((element) => {
    const [text] = element.childNodes;
    if (!(text instanceof Text)) throw new Error('there is no code');
    const start = text.data.search(/\d/);
    const leftOf = (position: number) => {
      const range = new Range();
      range.setStart(text, position);
      range.setEnd(text, position + 1);
      return range.getBoundingClientRect().left;
    };
    return leftOf(start) < leftOf(start + 5);
  });
}

test('a code keeps its order in a mail program that writes from right to left, and so does its sentence', async () => {
  const page = await (await openProfile()).newPage();
  // Programs in a page take a mail out of its document.
  const [, body = ''] = /<body[^>]*>([\s\S]*)<\/body>/.exec(codeMail?.html ?? '') ?? [];
  await page.setContent(`<!doctype html><html lang="ar" dir="rtl"><div>${body}</div>`);
  expect(await isInOrder(page, '.code')).toBe(true);
  const direction = await page.locator('h1').evaluate((element) => getComputedStyle(element).direction);
  expect(direction).toBe('ltr');
});

test('a code that a page shows keeps its order where the browser has translated the page', async () => {
  const page = await (await openProfile()).newPage();
  await page.goto(`${url}/login/code#12345678`);
  await page.evaluate("document.documentElement.dir = 'rtl'");
  expect(await isInOrder(page, '#linked-code')).toBe(true);
});
