import axe, { type AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { useChromium } from '../support/browsing.ts';
import { contrast } from './contrast.ts';
import { everyPage } from './pages.ts';

const { origins, pages } = await everyPage();
const openProfile = useChromium(() => origins);
const schemes = ['light', 'dark'] as const;

describe.each(pages)('the page: $name', ({ open }) => {
  test('has nothing that axe objects to, light or dark', async () => {
    const page = await open(await openProfile());
    await page.evaluate(axe.source);
    for (const colorScheme of schemes) {
      await page.emulateMedia({ colorScheme });
      expect({ colorScheme, found: await axeFindings(page) }).toEqual({ colorScheme, found: [] });
    }
    expect(await page.title()).toMatch(/^\S.*[^.] · Latchkey$/);
  });

  test('shows where the focus is, in the order of the page', async () => {
    const page = await open(await openProfile());
    const controls = page.locator('a[href], button, input:not([type="hidden"])');
    const count = await controls.count();
    for (const media of [
      { colorScheme: 'light' },
      { colorScheme: 'dark' },
      { colorScheme: 'light', forcedColors: 'active', reducedMotion: 'reduce' },
    ] as const) {
      await page.emulateMedia(media);
      await controls.first().focus();
      for (let position = 0; position < count; position += 1) {
        const control = controls.nth(position);
        const seen = await control.evaluate((element) => {
          const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(element);
          let around = element.parentElement;
          while (around?.parentElement && getComputedStyle(around).backgroundColor === 'rgba(0, 0, 0, 0)') {
            around = around.parentElement;
          }
          if (!around) throw new Error('a control stands in nothing');
          const { top, bottom } = element.getBoundingClientRect();
          return {
            focused: document.activeElement === element,
            inView: top > -1 && bottom < innerHeight + 1,
            outline: outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2,
            outlineColor: String(outlineColor),
            behind: String(getComputedStyle(around).backgroundColor),
          };
        });
        const what = `${position} in ${JSON.stringify(media)}`;
        expect(seen, what).toMatchObject({ focused: true, inView: true, outline: true });
        // Forced colours are the visitor's own, and translucent.
        if (!('forcedColors' in media)) {
          expect(contrast(seen.outlineColor, seen.behind), what).toBeGreaterThanOrEqual(3);
        }
        await page.keyboard.press('Tab');
      }
    }
  });
});

async function axeFindings(page: Page): Promise<string[]> {
  const results: AxeResults = await page.evaluate('axe.run()');
  return results.violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}

describe('with a keyboard alone', () => {
  const [origin = ''] = origins;

  test('a visitor skips to the form, signs in with Enter, and logs out', async () => {
    const page = await (await openProfile()).newPage();
    await page.goto(origin);
    await page.keyboard.press('Tab');
    expect(await focusedText(page)).toBe('Skip to the content');
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
    await page.waitForURL(`${origin}/admin`);

    const order: (string | null)[] = [];
    for (let press = 0; press < 5; press += 1) {
      await page.keyboard.press('Tab');
      order.push(await focusedText(page));
    }
    expect(order).toEqual(['Skip to the content', 'Latchkey', 'Sessions', 'Log out', 'Log out']);
    await page.keyboard.press('Enter');
    await page.waitForURL(`${origin}/`);
  });

  function focusedText(page: Page): Promise<string | null> {
    return page.locator(':focus').textContent();
  }
});

// WCAG 1.4.11, which axe does not check.
test.each(schemes)('the edges of fields and buttons stand out, %s', async (colorScheme) => {
  const page = await (await openProfile({ colorScheme })).newPage();
  await page.goto(`${origins[0]}/admin`);
  const edges = [await edge(page.getByRole('link', { name: 'home page' }))];
  await page.goto(`${origins[0]}/login`);
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
