import type { Page } from 'playwright-core';
import { longestAddress } from '../support/address.ts';
import { startApp } from '../support/app.ts';
import { endSessionOnSubmit, loginButton, signIn } from '../support/browser.ts';
import { signedIn as signedInVisitor } from '../support/client.ts';
import { contributed, type PageSite } from '../support/contributions.ts';
import { Visitor } from '../support/visitor.ts';

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0';

/** As long as a name may be. */
export const siteName = 'The Department of Long & Important Names';

/** Every page there is, in its telling states. */
export async function everyPage(): Promise<{ origins: string[]; pages: PageSite['pages'] }> {
  const env = { SITE_NAME: siteName };
  const app = await startApp({ env: { ...env, SESSIONS_PER_ADDRESS: '60' } });
  const broken = await startApp({ env });
  const lost = await signedInVisitor(broken.url);
  await broken.redis.sendCommand(['SHUTDOWN', 'NOSAVE']).catch(() => {});
  const { url } = app;
  const added: PageSite[] = [];
  for (const { module } of await contributed('browser-pages')) added.push(...(await module.openSites(env)));

  const at = (path: string) => async (page: Page) => {
    await page.goto(url + path);
  };
  const signedIn = (email: string, path: string) => async (page: Page) => {
    await signIn(page, url, email);
    await page.goto(url + path);
  };
  const asked = async (page: Page) => {
    await signedIn(longestAddress, '/')(page);
    await page.goto('about:blank');
    await page.setContent(`<a href="${url}/logout">Go</a>`);
    await page.getByRole('link').click();
    await page.waitForURL(`${url}/logout`);
  };
  const submitted = (origin: string, typed: string) => async (page: Page) => {
    await page.goto(origin);
    await page.getByLabel('E-mail address').fill(typed);
    await loginButton(page).click();
    await page.waitForURL(`${origin}/login`);
  };
  const withSessions = (count: number, email: string) => async (page: Page) => {
    for (let others = 1; others < count; others += 1) {
      await new Visitor(url, { 'User-Agent': firefox }).signIn(email);
    }
    await signedIn(email, '/admin')(page);
  };
  const outlived = async (page: Page) => {
    await withSessions(2, 'outlived@example.com')(page);
    await endSessionOnSubmit(page, '/admin/end-session', () => page.context().clearCookies());
    await page.getByRole('button', { name: 'End session 2 of 2' }).click();
    await page.getByRole('heading', { name: 'Please login first.' }).waitFor();
  };
  const lostAt = (path: string) => async (page: Page) => {
    const session = lost.cookies.get('session') ?? '';
    await page.context().addCookies([{ name: 'session', value: session, url: broken.url }]);
    await page.goto(broken.url + path);
  };
  const unfolded = (email: string) => async (page: Page) => {
    await signedIn(email, '/admin')(page);
    await page.getByText('more sessions').click();
  };
  const ended = (email: string) => async (page: Page) => {
    await withSessions(3, email)(page);
    await page.getByRole('button', { name: 'End session 2 of 3' }).click();
    await page.getByRole('status').waitFor();
  };

  const pages = [
    { name: 'home', open: at('/') },
    { name: 'home, signed in', open: signedIn('home@example.com', '/') },
    { name: 'home, signed in under the longest address', open: signedIn(longestAddress, '/') },
    { name: 'login', open: at('/login?next=/admin?from=mail') },
    { name: 'login with an error', open: submitted(url, 'ada at example.com') },
    { name: 'login with a long error', open: submitted(url, `${longestAddress}.example`) },
    { name: 'admin', open: withSessions(1, 'one@example.com') },
    { name: 'admin with 60 sessions', open: withSessions(60, 'sixty@example.com') },
    { name: 'admin with 60 sessions, unfolded', open: unfolded('sixty@example.com') },
    { name: 'admin after a session was ended', open: ended('ended@example.com') },
    { name: 'admin of the longest address', open: withSessions(2, longestAddress) },
    { name: 'logout confirmation', open: asked },
    { name: '401', open: at('/admin') },
    { name: '401 of a form that outlived its session', open: outlived },
    { name: '404', open: at('/nowhere') },
    { name: '405', open: signedIn('wrong-method@example.com', '/admin/end-session') },
    { name: '503 of a page', open: lostAt('/') },
    { name: '503 of the login form', open: submitted(broken.url, 'ada@example.com') },
    ...added.flatMap((site) => site.pages),
  ];
  return { origins: [url, broken.url, ...added.map((site) => site.url)], pages };
}
