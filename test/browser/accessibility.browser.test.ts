import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { useChromium } from '../support/browsing.ts';
import { contrast } from './contrast.ts';

const { url } = await startApp();
const openProfile = useChromium(() => [url]);

describe('with a keyboard alone', () => {
  test('a visitor skips to the form, signs in with Enter, and logs out', async () => {
    const page = await (await openProfile()).newPage();
    await page.goto(url);
    await page.keyboard.press('Tab');
    expect(await focusedText(page)).toBe('Skip to main content');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.id')).toBe('email');
    await page.keyboard.type('keys@example.com');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    expect(await page.getByLabel('Keep me signed in').isChecked()).toBe(true);
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${url}/admin`);

    const order: (string | null)[] = [];
    for (let press = 0; press < 5; press += 1) {
      await page.keyboard.press('Tab');
      order.push(await focusedText(page));
    }
    expect(order).toEqual(['Skip to main content', 'Latchkey', 'Sessions', 'Log out', 'Log out']);
    await page.keyboard.press('Enter');
    await page.waitForURL(`${url}/`);
  });

  function focusedText(page: Page): Promise<string | null> {
    return page.locator(':focus').textContent();
  }
});

// WCAG 1.4.11, which axe does not check.
test.each(['light', 'dark'] as const)('the edges of fields and buttons stand out, %s', async (colorScheme) => {
  const page = await (await openProfile({ colorScheme })).newPage();
  await page.goto(`${url}/admin`);
  const edges = [await edge(page.getByRole('link', { name: 'home page' }))];
  await page.goto(`${url}/login`);
  edges.push(await edge(page.getByLabel('E-mail address')));
  for (const { border, inside, outside } of edges) {
    expect(contrast(border, inside)).toBeGreaterThanOrEqual(3);
    expect(contrast(border, outside)).toBeGreaterThanOrEqual(3);
  }
});

function edge(control: ReturnType<Page['locator']>): Promise<{ border: string; inside: string; outside: string }> {
  return control.evaluate((element) => {
    const card = element.closest('.card');
    if (!card) throw new Error('a control stands in no card');
    const outside = getComputedStyle(card).backgroundColor;
    const { borderTopColor: border, backgroundColor } = getComputedStyle(element);
    return { border, outside, inside: backgroundColor === 'rgba(0, 0, 0, 0)' ? outside : backgroundColor };
  });
}
