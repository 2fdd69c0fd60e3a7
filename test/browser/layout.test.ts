import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { useChromium } from '../support/browsing.ts';
import { everyPage } from './pages.ts';

const { origins, pages } = await everyPage();
const openProfile = useChromium(() => origins);

describe.each(pages)('the page: $name', ({ open }) => {
  // WCAG 1.4.4, 1.4.10 and 2.5.5. A browser at 200 % zoom lays a page out in half as many CSS pixels.
  test('fits 320 px and 200 % zoom without sideways scrolling, with targets 44 px high', async () => {
    const page = await open(await openProfile({ deviceScaleFactor: 2 }));
    for (const width of [320, 640, 1280]) {
      await page.setViewportSize({ width, height: 640 });
      expect({ width, overflow: await overflow(page) }).toEqual({ width, overflow: [] });
      expect({ width, small: await smallTargets(page) }).toEqual({ width, small: [] });
    }
    await page.setViewportSize({ width: 640, height: 640 });
    await page.evaluate("document.documentElement.style.fontSize = '200%'");
    expect(await overflow(page)).toEqual([]);
  });

  test('prints its content without its buttons', async () => {
    const page = await open(await openProfile());
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

/** What sticks out of the page's sides. */
function overflow(page: Page): Promise<string[]> {
  return page.locator('html').evaluate((root) => {
    const stickOut: string[] = [];
    for (const element of root.querySelectorAll('body *')) {
      const { left, right, width } = element.getBoundingClientRect();
      const isOut =
        width > 0 && (left < 0 || right > root.clientWidth + 0.5 || element.scrollWidth > element.clientWidth + 1);
      if (isOut && !element.matches('.skip, input, span, strong, time')) stickOut.push(element.outerHTML.slice(0, 80));
    }
    if (root.scrollWidth > root.clientWidth) stickOut.push(`${root.scrollWidth} px in ${root.clientWidth}`);
    return stickOut;
  });
}

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
