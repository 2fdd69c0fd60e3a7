import type { Page } from 'playwright-core';
import { submitAddress } from '../support/browser.ts';

/** Asks for a code through the form of the login page. */
export async function askForCode(page: Page, origin: string, email: string): Promise<void> {
  await submitAddress(page, origin, email);
  await page.waitForURL(`${origin}/login/code`);
}

/** Enters a code, and waits for the page to which that leads. */
export async function enterCode(page: Page, code: string): Promise<void> {
  await fillCode(page, code);
  const arrival = page.waitForEvent('load');
  await page.getByRole('main').getByRole('button', { name: 'Log in' }).click();
  await arrival;
}

/** Fills a code in without a keystroke, so that the form waits for its button, with JavaScript as without. */
export async function fillCode(page: Page, code: string): Promise<void> {
  await page.getByLabel('Code').evaluate((field, value) => {
    if (field instanceof HTMLInputElement) field.value = value;
  }, code);
}

/** Asks for a new code, without waiting until the button is offered. */
export async function askForNewCode(page: Page): Promise<void> {
  await page.locator('form[action="/login/code/again"]').evaluate((form) => {
    if (form instanceof HTMLFormElement) form.requestSubmit();
  });
}

/**
 * Stops the clock of a page's tab before its page is opened: time passes there only as far as `page.clock.runFor()` lets
 * it. Once installed, Playwright's clock goes on by itself.
 */
export async function stopClock(page: Page): Promise<void> {
  const now = Date.now();
  await page.clock.install({ time: now });
  // To a time that it can't have reached meanwhile.
  await page.clock.pauseAt(now + 600_000);
}
