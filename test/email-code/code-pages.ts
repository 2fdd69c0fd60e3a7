import { fileURLToPath } from 'node:url';
import type { BrowserContext, Page } from 'playwright-core';
import { MailTemplates } from '../../src/features/email-code/mail-templates.ts';
import type { KnownPage } from '../browser/pages.ts';
import { catchIn } from '../mail/caught-mails.ts';
import { linkIn } from '../mail/mail-server.ts';
import { startApp } from '../support/app.ts';
import { askForCode, askForNewCode, enterCode, loginButton } from '../support/browser.ts';
import { newAddress, newBrowser, newIp, askForCode as postAddress, startCodeApp, wrongCode } from './code-login.ts';

export const longestAddress = `${'a'.repeat(64)}@${`${'b'.repeat(60)}.`.repeat(3)}exampl`;

const writer = new MailTemplates(fileURLToPath(new URL('../../views', import.meta.url)), 'Latchkey');
const about = { device: 'Firefox on Linux', origin: 'https://login.example.com', now: 0 };

/** One of each mail. */
export const sampleMails = [
  writer.code({ to: longestAddress, code: '12345678', ...about }),
  writer.notice({ to: 'ada@example.com', endUrl: `${about.origin}/end-session?token=${'t'.repeat(22)}`, ...about }),
];

/** The pages of sign-in by code, in their telling states. */
export async function codePages(): Promise<{ url: string; pages: KnownPage[] }> {
  const { url, mails } = await startCodeApp();

  async function at(profile: BrowserContext, path: string): Promise<Page> {
    const page = await profile.newPage();
    await page.goto(url + path);
    return page;
  }
  async function asked(profile: BrowserContext, email: string): Promise<Page> {
    const page = await profile.newPage();
    await askForCode(page, url, email);
    return page;
  }
  async function guessed(profile: BrowserContext, times: number): Promise<Page> {
    const email = newAddress();
    const page = await asked(profile, email);
    const code = await mails.codeFor(email);
    for (let time = 1; time <= times; time += 1) await enterCode(page, wrongCode(code, time));
    return page;
  }
  async function askedAgain(profile: BrowserContext): Promise<Page> {
    const page = await asked(profile, newAddress());
    await askForNewCode(page);
    await page.waitForURL(`${url}/login/code?sent=again`);
    return page;
  }
  async function noticed(profile: BrowserContext): Promise<Page> {
    const email = newAddress();
    const page = await asked(profile, email);
    await enterCode(page, await mails.codeFor(email));
    await profile.clearCookies();
    await page.goto(linkIn(await mails.mailTo(email, 'notice')));
    return page;
  }
  async function ended(profile: BrowserContext): Promise<Page> {
    const page = await noticed(profile);
    await page.getByRole('button', { name: 'End the session' }).click();
    await page.getByRole('heading', { name: 'The session has been ended' }).waitFor();
    return page;
  }
  async function throttled(profile: BrowserContext): Promise<Page> {
    const ip = newIp();
    const hasty = newBrowser(url, { 'X-Forwarded-For': ip });
    while ((await postAddress(hasty, 'hasty@example.com')).status !== 429);
    await profile.setExtraHTTPHeaders({ 'X-Forwarded-For': ip });
    const page = await at(profile, '/login');
    await page.getByLabel('E-mail address').fill('hasty@example.com');
    await loginButton(page).click();
    await page.getByRole('heading', { name: 'That was too often.' }).waitFor();
    return page;
  }

  const pages: KnownPage[] = [
    { name: 'login by code', open: (profile) => at(profile, '/login') },
    { name: 'login after a code is over', open: (profile) => guessed(profile, 5) },
    { name: 'code', open: (profile) => asked(profile, newAddress()) },
    { name: 'code for the longest address', open: (profile) => asked(profile, longestAddress) },
    { name: 'code with an error', open: (profile) => guessed(profile, 1) },
    { name: 'code, a new one', open: askedAgain },
    { name: 'code in another browser', open: (profile) => at(profile, '/login/code#12345678') },
    { name: 'end of a session', open: noticed },
    { name: 'end of a session, done', open: ended },
    { name: '410', open: (profile) => at(profile, '/end-session?token=used') },
    { name: '429', open: throttled },
  ];
  return { url, pages };
}

/** The page of mails that are caught instead of sent. */
export async function caughtMailPage(): Promise<{ url: string; pages: KnownPage[] }> {
  const { url } = await startApp({ env: { SIGN_IN: 'code' }, development: catchIn([...sampleMails]) });

  async function open(profile: BrowserContext): Promise<Page> {
    const page = await profile.newPage();
    await page.goto(`${url}/dev/mails`);
    return page;
  }
  return { url, pages: [{ name: 'caught mails', open }] };
}
