import axe, { type AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';

/** What axe objects to, less the rules that do not concern this page. */
export async function axeFindings(page: Page, { except = [] }: { except?: string[] } = {}): Promise<string[]> {
  await page.evaluate(axe.source);
  const rules = Object.fromEntries(except.map((rule) => [rule, { enabled: false }]));
  const results: AxeResults = await page.evaluate(`axe.run(${JSON.stringify({ rules, resultTypes: ['violations'] })})`);
  return results.violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}

/** What sticks out of the page's sides. */
export function overflow(page: Page): Promise<string[]> {
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
