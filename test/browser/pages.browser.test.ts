import { beforeAll, describe, expect, test } from 'vitest';
import { useTab } from '../support/browsing.ts';
import { contrast } from './contrast.ts';
import {
  ambiguousNames,
  axeColorFindings,
  axeFindings,
  focusEach,
  overflow,
  smallTargets,
  tabThrough,
} from './findings.ts';
import { everyPage, siteName } from './pages.ts';

const { origins, pages } = await everyPage();
const tab = useTab(() => origins);

describe.each(pages)('the page: $name', ({ open }) => {
  beforeAll(async () => open(await tab.reset()));

  test('has nothing that axe objects to, light or dark', async () => {
    const page = tab.page();
    await page.emulateMedia({ colorScheme: 'light' });
    expect(await axeFindings(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await axeColorFindings(page)).toEqual([]);
    const [title = '', ...site] = (await page.title()).split(' · ');
    expect(title).toMatch(/^\S.*[^.?]$/);
    expect(site).toEqual([siteName]);
    expect(await page.locator('meta[name=description]').getAttribute('content')).toContain(siteName);
    expect(await page.getByRole('heading', { level: 1 }).count()).toBe(1);
    expect(await ambiguousNames(page)).toEqual([]);
  });

  test('shows where the focus is, in the order of the page', async () => {
    const page = tab.page();
    let order: string[] = [];
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const stops = await focusEach(page);
      order = stops.map(({ html }) => html);
      for (const stop of stops) {
        expect(stop).toMatchObject({ focused: true, inView: true, outline: true });
        expect(contrast(stop.outlineColor, stop.behind), stop.html).toBeGreaterThanOrEqual(3);
      }
    }
    expect(await tabThrough(page, order.length - 1)).toEqual(order.slice(1));
    // Forced colors are the visitor's own, and translucent.
    await page.emulateMedia({ colorScheme: 'light', forcedColors: 'active', reducedMotion: 'reduce' });
    for (const stop of await focusEach(page))
      expect(stop).toMatchObject({ focused: true, inView: true, outline: true });
    await page.emulateMedia({ colorScheme: null, forcedColors: null, reducedMotion: null });
  });

  // WCAG 1.4.4, 1.4.10 and 2.5.5. A browser at 200 % zoom lays a page out in half as many CSS pixels.
  test('fits 320 px and 200 % zoom without sideways scrolling, with targets 44 px high', async () => {
    const page = tab.page();
    for (const width of [320, 360, 640, 1280]) {
      await page.setViewportSize({ width, height: 640 });
      const [outside, small] = await Promise.all([overflow(page), smallTargets(page)]);
      expect({ width, outside, small }).toEqual({ width, outside: [], small: [] });
    }
    await page.evaluate("document.documentElement.style.fontSize = '200%'");
    for (const width of [320, 640]) {
      await page.setViewportSize({ width, height: 640 });
      expect({ width, overflow: await overflow(page) }).toEqual({ width, overflow: [] });
    }
    await page.evaluate("document.documentElement.style.fontSize = ''");
  });

  test('prints its content without its buttons', async () => {
    const page = tab.page();
    await page.emulateMedia({ media: 'print' });
    expect(await page.getByRole('heading', { level: 1 }).isVisible()).toBe(true);
    const buttons = page.getByRole('button', { name: /^(End|Log out)/ });
    expect(await buttons.filter({ visible: true }).count()).toBe(0);
    expect(await overflow(page)).toEqual([]);
  });
});
