import type { Page } from 'playwright-core';
import { MailTemplates } from '../../src/features/email-code/mail-templates.ts';
import { longestAddress } from '../support/address.ts';
import { startApp } from '../support/app.ts';
import { loginButton } from '../support/browser.ts';
import type { KnownPage, PageSite } from '../support/contributions.ts';
import { askForCode, askForNewCode, enterCode } from './browser.ts';
import { catchIn } from './caught-mails.ts';
import {
  newAddress,
  newBrowser,
  newIp,
  askForCode as postAddress,
  enterCode as postCode,
  startCodeApp,
  wrongCode,
} from './code-login.ts';
import { linkIn } from './links.ts';

const writer = new MailTemplates('Latchkey');
const about = { device: 'Firefox on Linux', origin: 'https://login.example.com', now: 0 };

/** One of each mail. */
export const sampleMails = [
  writer.code({ to: longestAddress, code: '12345678', ...about }),
  writer.notice({ to: 'ada@example.com', endUrl: `${about.origin}/end-session?token=${'t'.repeat(22)}`, ...about }),
];

/** The pages of sign-in by code and of caught mail, in their telling states. */
export async function openSites(env: Record<string, string>): Promise<PageSite[]> {
  return [await codePages(env), await caughtMailPage(env)];
}

async function codePages(env: Record<string, string>): Promise<PageSite> {
  const { url, mails } = await startCodeApp({ env });

  const at = (path: string) => async (page: Page) => {
    await page.goto(url + path);
  };
  const asked = (email: string) => (page: Page) => askForCode(page, url, email);
  const thenAt = (path: string) => async (page: Page) => {
    await asked(newAddress())(page);
    await page.goto(url + path);
  };
  const guessed = (times: number) => async (page: Page) => {
    const email = newAddress();
    await asked(email)(page);
    const code = await mails.codeFor(email);
    for (let time = 1; time <= times; time += 1) await enterCode(page, wrongCode(code, time));
  };
  async function askedAgain(page: Page): Promise<void> {
    await asked(newAddress())(page);
    await askForNewCode(page);
    await page.waitForURL(`${url}/login/code?sent=again`);
  }
  async function noticed(page: Page): Promise<void> {
    const email = newAddress();
    await asked(email)(page);
    await enterCode(page, await mails.codeFor(email));
    await page.context().clearCookies();
    await page.goto(linkIn(await mails.mailTo(email, 'notice')));
  }
  async function signedInElsewhere(page: Page): Promise<void> {
    const email = newAddress();
    await asked(email)(page);
    await enterCode(page, await mails.codeFor(email));
    await at('/login/code#12345678')(page);
  }
  async function ended(page: Page): Promise<void> {
    await noticed(page);
    await page.getByRole('button', { name: 'End the session' }).click();
    await page.getByRole('heading', { name: 'The session has been ended' }).waitFor();
  }
  async function throttled(page: Page): Promise<void> {
    const ip = newIp();
    const hasty = newBrowser(url, { 'X-Forwarded-For': ip });
    while ((await postAddress(hasty, 'hasty@example.com')).status !== 429);
    await page.context().setExtraHTTPHeaders({ 'X-Forwarded-For': ip });
    await at('/login')(page);
    await page.getByLabel('E-mail address').fill('hasty@example.com');
    await loginButton(page).click();
    await page.getByText('Too many attempts.').waitFor();
  }
  async function guessedTooOften(page: Page): Promise<void> {
    const ip = newIp();
    const hasty = newBrowser(url, { 'X-Forwarded-For': ip });
    let status = 0;
    for (let guesses = 0; status !== 429; guesses += 1) {
      if (guesses % 5 === 0) await postAddress(hasty, newAddress());
      ({ status } = await postCode(hasty, '00000000'));
    }
    await page.context().setExtraHTTPHeaders({ 'X-Forwarded-For': ip });
    await asked(newAddress())(page);
    await enterCode(page, '00000000');
    await page.getByText('Too many attempts.').waitFor();
  }
  async function askedForTwo(page: Page): Promise<void> {
    await asked(newAddress())(page);
    await asked(longestAddress)(page);
    await page.getByText('You also asked for a code').waitFor();
  }

  const pages: KnownPage[] = [
    { name: 'home while a code is on its way', open: thenAt('/') },
    { name: 'login by code', open: at('/login') },
    { name: 'login while a code is on its way', open: thenAt('/login') },
    { name: 'login after a code is over', open: guessed(5) },
    { name: 'code', open: asked(newAddress()) },
    { name: 'code for the longest address', open: asked(longestAddress) },
    { name: 'code with an error', open: guessed(1) },
    { name: 'code, a new one', open: askedAgain },
    { name: 'code while another is on its way', open: askedForTwo },
    { name: 'code after too many attempts', open: guessedTooOften },
    { name: 'code in another browser', open: at('/login/code#12345678') },
    { name: 'code in a browser that is signed in', open: signedInElsewhere },
    { name: 'end of a session', open: noticed },
    { name: 'end of a session, done', open: ended },
    { name: '410', open: at('/end-session?token=used') },
    { name: 'login after too many attempts', open: throttled },
  ];
  return { url, pages };
}

async function caughtMailPage(env: Record<string, string>): Promise<PageSite> {
  const { url } = await startApp({ env: { ...env, SIGN_IN: 'code' }, development: catchIn([...sampleMails]) });

  async function open(page: Page): Promise<void> {
    await page.goto(`${url}/dev/mails`);
  }
  return { url, pages: [{ name: 'caught mails', open }] };
}
