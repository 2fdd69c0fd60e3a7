import type { Page } from 'playwright-core';
import { askForCode, enterCode } from '../email-code/browser.ts';
import { type CodeApp, newAddress } from '../email-code/code-login.ts';

/** The app's origin under a name, since browsers have no passkeys for IP addresses. */
export function namedOrigin({ url }: Pick<CodeApp, 'url'>): string {
  return url.replace('127.0.0.1', 'localhost');
}

/** Signs in by code through the pages; ends where that leads, be it the offer of a passkey. */
export async function signInByPages(
  { mails, url }: Pick<CodeApp, 'mails' | 'url'>,
  page: Page,
  { email = newAddress(), count = 1 }: { email?: string; count?: number } = {},
): Promise<string> {
  await askForCode(page, namedOrigin({ url }), email);
  await enterCode(page, await mails.codeFor(email, count));
  return email;
}

/** Adds a passkey in the offer that follows a sign-in by code. */
export async function acceptOffer(page: Page, origin: string): Promise<void> {
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.waitForURL((url) => url.origin === origin && !url.pathname.startsWith('/passkeys/add'));
}
