import { beforeEach, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { signIn } from '../support/browser.ts';
import { useTab } from '../support/browsing.ts';

const { url } = await startApp();
const tab = useTab(() => [url]);
beforeEach(() => tab.reset());

test('what stands beside each other keeps its distance where the browser has translated the page', async () => {
  const page = tab.page();
  await signIn(page, url, 'ann@example.com');
  for (const dir of ['ltr', 'rtl'] as const) {
    await page.evaluate(`document.documentElement.dir = '${dir}'`);
    const [seen, signed] = await Promise.all(
      [0, 1].map(async (position) => {
        const box = await page.locator('.sessions li:first-child .detail').nth(position).boundingBox();
        if (!box) throw new Error('there is no such detail');
        return box;
      }),
    );
    if (!seen || !signed) throw new Error('there are two details');
    const [left, right] = dir === 'ltr' ? [seen, signed] : [signed, seen];
    expect(right.x - (left.x + left.width), dir).toBeGreaterThanOrEqual(20);
    // And the last one needs no room behind it: it begins where the name above does.
    const name = await page.locator('.sessions li:first-child .name').boundingBox();
    const start = dir === 'ltr' ? seen.x - (name?.x ?? 0) : (name?.x ?? 0) + (name?.width ?? 0) - seen.x - seen.width;
    expect(Math.abs(start), dir).toBeLessThan(1);
  }
});
