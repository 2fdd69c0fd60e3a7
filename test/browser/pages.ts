import type { BrowserContext, Page } from 'playwright-core';
import { caughtMailPage, codePages, longestAddress } from '../email-code/code-pages.ts';
import { startApp } from '../support/app.ts';
import { loginButton, signIn } from '../support/browser.ts';
import { Visitor } from '../support/visitor.ts';

/** A page as some visitor meets it: how to get there in a new profile. */
export type KnownPage = { name: string; open: (profile: BrowserContext) => Promise<Page> };

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0';

/** Every page there is, in its telling states. */
export async function everyPage(): Promise<{ origins: string[]; pages: KnownPage[] }> {
  const app = await startApp();
  const broken = await startApp();
  await broken.redis.sendCommand(['SHUTDOWN', 'NOSAVE']).catch(() => {});
  const { url } = app;
  const byCode = await codePages();
  const caught = await caughtMailPage();

  const at = (path: string) => async (profile: BrowserContext) => {
    const page = await profile.newPage();
    await page.goto(url + path);
    return page;
  };
  const signedIn = (email: string, path: string) => async (profile: BrowserContext) => {
    const page = await profile.newPage();
    await signIn(page, url, email);
    await page.goto(url + path);
    return page;
  };
  const asked = async (profile: BrowserContext) => {
    await signedIn(longestAddress, '/')(profile);
    const elsewhere = await profile.newPage();
    await elsewhere.setContent(`<a href="${url}/logout">Go</a>`);
    await elsewhere.getByRole('link').click();
    await elsewhere.waitForURL(`${url}/logout`);
    return elsewhere;
  };
  const submitted = (origin: string, typed: string) => async (profile: BrowserContext) => {
    const page = await profile.newPage();
    await page.goto(origin);
    await page.getByLabel('E-mail address').fill(typed);
    await loginButton(page).click();
    await page.waitForURL(`${origin}/login`);
    return page;
  };
  const withSessions = (count: number, email: string) => async (profile: BrowserContext) => {
    for (let others = 1; others < count; others += 1) {
      await new Visitor(url, { 'User-Agent': firefox }).signIn(email);
    }
    return signedIn(email, '/admin')(profile);
  };

  const pages = [
    { name: 'home', open: at('/') },
    { name: 'home, signed in', open: signedIn('home@example.com', '/') },
    { name: 'home, signed in under the longest address', open: signedIn(longestAddress, '/') },
    { name: 'login', open: at('/login?next=/admin?from=mail') },
    { name: 'login with an error', open: submitted(url, 'ada at example.com') },
    { name: 'login with a long error', open: submitted(url, `${longestAddress}.example`) },
    { name: 'admin', open: withSessions(1, 'one@example.com') },
    { name: 'admin with 50 sessions', open: withSessions(50, 'fifty@example.com') },
    { name: 'admin of the longest address', open: withSessions(2, longestAddress) },
    { name: 'logout confirmation', open: asked },
    { name: '401', open: at('/admin') },
    { name: '404', open: at('/nowhere') },
    { name: '503', open: submitted(broken.url, 'ada@example.com') },
    ...byCode.pages,
    ...caught.pages,
  ];
  return { origins: [url, broken.url, byCode.url, caught.url], pages };
}
