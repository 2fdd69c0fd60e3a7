import axe, { type AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';

/** What axe objects to, less the rules that do not concern this page. */
export function axeFindings(page: Page, { except = [] }: { except?: string[] } = {}): Promise<string[]> {
  return runAxe(page, { rules: Object.fromEntries(except.map((rule) => [rule, { enabled: false }])) });
}

/** What axe objects to in a page's colors: for a page that was searched in full in other colors. */
export function axeColorFindings(page: Page): Promise<string[]> {
  return runAxe(page, { runOnly: ['color-contrast', 'link-in-text-block'] });
}

async function runAxe(page: Page, options: Record<string, unknown>): Promise<string[]> {
  if (!(await page.evaluate('"axe" in globalThis'))) await page.evaluate(axe.source);
  const settings = JSON.stringify({ ...options, resultTypes: ['violations'] });
  const results: AxeResults = await page.evaluate(`axe.run(${settings})`);
  return results.violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}

/** What sticks out of the page's sides, or is cut off in its box. */
export function overflow(page: Page): Promise<string[]> {
  return page.locator('html').evaluate((root) => {
    const stickOut: string[] = [];
    const code = root.querySelector('input.code');
    if (code instanceof HTMLInputElement) {
      code.value = '88888888';
      if (code.scrollWidth > code.clientWidth) stickOut.push('a code is cut off in its field');
      code.value = '';
    }
    for (const element of root.querySelectorAll('body *')) {
      const { left, right, width } = element.getBoundingClientRect();
      const isOut =
        width > 0 && (left < 0 || right > root.clientWidth + 0.5 || element.scrollWidth > element.clientWidth + 1);
      if (isOut && !element.matches('.skip, input, span, strong, small, time')) {
        stickOut.push(element.outerHTML.slice(0, 80));
      }
    }
    if (root.scrollWidth > root.clientWidth) stickOut.push(`${root.scrollWidth} px in ${root.clientWidth}`);
    return stickOut;
  });
}

/** What a finger would miss (WCAG 2.5.5); a checkbox is hit through its label. */
export function smallTargets(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const targets = 'a[href], button, summary, label:has(input), input:not([type="hidden"], [type="checkbox"])';
    return [...document.querySelectorAll(targets)]
      .filter((element) => {
        const { width, height } = element.getBoundingClientRect();
        return element.checkVisibility() && (width < 44 || height < 44);
      })
      .map((element) => element.outerHTML);
  });
}

/** Controls that bear the same name and do different things. */
export function ambiguousNames(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const effects = new Map<string, Set<string>>();
    for (const control of document.querySelectorAll('a[href], button')) {
      const name = control.getAttribute('aria-label') ?? control.textContent?.trim() ?? '';
      const form = control.closest('form');
      const fields = form ? [...new FormData(form)].join() : '';
      const effect = form && control.matches('button') ? `${form.action} ${fields}` : `${control.getAttribute('href')}`;
      effects.set(name, (effects.get(name) ?? new Set()).add(effect));
    }
    return [...effects].filter(([, { size }]) => size > 1).map(([name]) => name);
  });
}

/** A control while it has the focus. */
export type FocusedControl = {
  html: string;
  focused: boolean;
  inView: boolean;
  outline: boolean;
  outlineColor: string;
  behind: string;
};

/** Gives each visible control the focus in turn, as the keyboard does, and looks at it. */
export async function focusEach(page: Page): Promise<FocusedControl[]> {
  // From here on Chromium shows where the focus is, as it does for somebody at a keyboard.
  await page.keyboard.press('Tab');
  return page.evaluate(() => {
    const controls = document.querySelectorAll<HTMLElement>('a[href], button:enabled, summary, input');
    return [...controls].flatMap((control) => {
      if (!control.checkVisibility() || control.matches('[type="hidden"]')) return [];
      control.focus();
      const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(control);
      const { top, bottom } = control.getBoundingClientRect();
      let around = control.parentElement;
      while (around?.parentElement && getComputedStyle(around).backgroundColor === 'rgba(0, 0, 0, 0)') {
        around = around.parentElement;
      }
      if (!around) throw new Error('a control stands in nothing');
      return {
        html: control.outerHTML.slice(0, 200),
        focused: document.activeElement === control,
        inView: top > -1 && bottom < innerHeight + 1,
        outline: outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2,
        outlineColor,
        behind: getComputedStyle(around).backgroundColor,
      };
    });
  });
}

/** What gets the focus at each press of Tab, from the first control on. */
export async function tabThrough(page: Page, presses: number): Promise<string[]> {
  await page.evaluate(() => {
    document.querySelector<HTMLElement>('a[href]')?.focus();
    const log: string[] = [];
    Object.assign(globalThis, { focusLog: log });
    addEventListener('focusin', ({ target }) =>
      log.push(target instanceof Element ? target.outerHTML.slice(0, 200) : ''),
    );
  });
  for (let press = 1; press <= presses; press += 1) await page.keyboard.press('Tab');
  return page.evaluate('focusLog');
}
