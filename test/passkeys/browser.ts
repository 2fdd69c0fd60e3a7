import type { Locator, Page } from 'playwright-core';
import { vi } from 'vitest';
import { askForCode, enterCode } from '../email-code/browser.ts';
import { type CodeApp, newAddress } from '../email-code/code-login.ts';

/** The app's origin under a name, since browsers have no passkeys for IP addresses. */
export function namedOrigin({ url }: Pick<CodeApp, 'url'>): string {
  return url.replace('127.0.0.1', 'localhost');
}

/**
 * Signs in by code through the pages; ends where that leads, be it the offer of a passkey. Only a browser that has asked for a
 * challenge gets that offer, so where passkeys work the address is submitted after that.
 */
export async function signInByPages(
  { mails, url }: Pick<CodeApp, 'mails' | 'url'>,
  page: Page,
  { email = newAddress(), count = 1 }: { email?: string; count?: number } = {},
): Promise<string> {
  const origin = namedOrigin({ url });
  await page.goto(`${origin}/login`);
  if (await passkeyButton(page).isVisible()) {
    const hasChallenge = async () => (await page.context().cookies()).some(({ name }) => name === 'passkey');
    await vi.waitUntil(hasChallenge, { timeout: 10_000, interval: 10 });
  }
  await askForCode(page, origin, email);
  await enterCode(page, await mails.codeFor(email, count));
  return email;
}

export function passkeyButton(page: Page): Locator {
  return page.getByRole('button', { name: 'Log in with a passkey' });
}

/** Adds a passkey in the offer that follows a sign-in by code. */
export async function acceptOffer(page: Page, origin: string): Promise<void> {
  const offerUrl = (url: URL) => url.origin === origin && url.pathname.startsWith('/passkeys/add');
  await page.waitForURL(offerUrl);
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.waitForURL((url) => url.origin === origin && !offerUrl(url));
}
