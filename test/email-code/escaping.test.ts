import { describe, expect, test } from 'vitest';
import { MailTemplates } from '../../src/features/email-code/mail-templates.ts';
import type { Mail } from '../../src/features/mail/delivery.ts';
import { startApp } from '../support/app.ts';
import { addresses, harmlessLike, markupOf, readAsText } from '../support/escaping.ts';
import { catchIn } from './caught-mails.ts';
import { askForCode, enterCode, newBrowser, startCodeApp } from './code-login.ts';

// ASVS 3.2.1 to 3.2.3: whatever comes from outside is text in the page.
const caughtMails: Mail[] = [];
const byCode = await startCodeApp();
const catching = await startApp({ env: { SIGN_IN: 'code' }, development: catchIn(caughtMails) });
const writer = new MailTemplates('Latchkey');

/** The pages of sign-in by code that show an address: where it waits, after one wrong code, after five. */
async function codePages(email: string): Promise<string[]> {
  const browser = newBrowser(byCode.url);
  await askForCode(browser, email);
  const pages = [await browser.get('/login/code')];
  for (let tries = 1; tries <= 5; tries += 1) pages.push(await enterCode(browser, `0000000${tries}`));
  expect(pages.map(({ status }) => status)).toEqual([200, 422, 422, 422, 422, 422]);
  expect(browser.cookies.has('login')).toBe(false);
  return [pages.at(0), pages.at(1), pages.at(-1)].map((page) => page?.text ?? '');
}

/** What `/dev/mails` shows when this address alone has got mail. */
async function mailPage(to: string): Promise<string> {
  const about = { to, device: 'Firefox on Linux', origin: 'https://login.example.com', now: 0 };
  const endUrl = `${about.origin}/end-session?token=${'t'.repeat(22)}`;
  caughtMails.splice(0, 2, writer.code({ code: '12345678', ...about }), writer.notice({ endUrl, ...about }));
  return (await newBrowser(catching.url).get('/dev/mails')).text;
}

describe('a hostile address, signing in by code', () => {
  test.each(addresses)('%j is text on every page', async (address) => {
    const harmless = harmlessLike(address);
    const pages = [...(await codePages(address)), await mailPage(address)];
    const expected = [...(await codePages(harmless)), await mailPage(harmless)];
    expect(pages.map(markupOf)).toEqual(expected.map(markupOf));
    for (const page of pages) expect(readAsText(page)).toContain(address);
  });
});
