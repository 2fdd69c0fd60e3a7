import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { usePage } from '../support/browsing.ts';
import { contrast } from './contrast.ts';
import { axeFindings, overflow } from './findings.ts';
import { everyPage } from './pages.ts';

const { origins, pages } = await everyPage();

describe.each(pages)('the page: $name', ({ open }) => {
  const opened = usePage(() => origins, open);

  test('has nothing that axe objects to, light or dark', async () => {
    const page = opened();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect({ colorScheme, found: await axeFindings(page) }).toEqual({ colorScheme, found: [] });
    }
    expect(await page.title()).toMatch(/^\S.*[^.] · Latchkey$/);
  });

  test('shows where the focus is, in the order of the page', async () => {
    const page = opened();
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
    await page.emulateMedia({ colorScheme: null, forcedColors: null, reducedMotion: null });
  });

  // WCAG 1.4.4, 1.4.10 and 2.5.5. A browser at 200 % zoom lays a page out in half as many CSS pixels.
  test('fits 320 px and 200 % zoom without sideways scrolling, with targets 44 px high', async () => {
    const page = opened();
    for (const width of [320, 640, 1280]) {
      await page.setViewportSize({ width, height: 640 });
      expect({ width, overflow: await overflow(page) }).toEqual({ width, overflow: [] });
      expect({ width, small: await smallTargets(page) }).toEqual({ width, small: [] });
    }
    await page.setViewportSize({ width: 640, height: 640 });
    await page.evaluate("document.documentElement.style.fontSize = '200%'");
    expect(await overflow(page)).toEqual([]);
    await page.evaluate("document.documentElement.style.fontSize = ''");
  });

  test('prints its content without its buttons', async () => {
    const page = opened();
    await page.emulateMedia({ media: 'print' });
    expect(await page.getByRole('heading', { level: 1 }).isVisible()).toBe(true);
    expect(
      await page
        .getByRole('button', { name: /^(End|Log out)/ })
        .filter({ visible: true })
        .count(),
    ).toBe(0);
    expect(await overflow(page)).toEqual([]);
  });
});

/** What a finger would miss; a checkbox is hit through its label. */
function smallTargets(page: Page): Promise<string[]> {
  const targets = 'a[href], button, label:has(input), input:not([type="hidden"], [type="checkbox"])';
  return page.locator(targets).evaluateAll((elements) =>
    elements
      .filter((element) => {
        const { width, height } = element.getBoundingClientRect();
        return width < 44 || height < 44;
      })
      .map((element) => element.outerHTML),
  );
}
