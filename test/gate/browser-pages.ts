import type { Page } from 'playwright-core';
import { longestAddress } from '../support/address.ts';
import { startApp } from '../support/app.ts';
import { signIn } from '../support/browser.ts';
import type { PageSite } from '../support/contributions.ts';
import { GateBrowser } from './gate-app.ts';

const login = 'http://localhost:3000';
const wiki = 'http://wiki.localhost:8080';
const reports = 'http://reports-of-the-department-of-long-and-important-names.localhost:8081';

/** The pages of the gate on the login site, in their telling states. */
export async function openSites(env: Record<string, string>): Promise<PageSite[]> {
  const sites = `${wiki}, ${reports} = nobody@example.com`;
  const app = await startApp({ env: { ...env, BASE_URL: login, TRUST_PROXY: 'loopback', GATE_SITES: sites } });
  const { url } = app;

  const signedInAt = (email: string, path: string) => async (page: Page) => {
    await signIn(page, url, email);
    await page.goto(url + path);
  };
  const opened = async (page: Page) => {
    const browser = new GateBrowser(app);
    await browser.post(`${login}/login`, { email: 'opened@example.com' });
    const started = await browser.visit(`${wiki}/.latchkey/start?to=/`);
    const issued = await browser.visit(started.location ?? '');
    await browser.visit(issued.location ?? '');
    await signedInAt('opened@example.com', '/admin')(page);
    await page.getByRole('heading', { name: 'Opened sites' }).waitFor();
  };
  const refused = `/gate?site=${encodeURIComponent(reports)}`;
  return [
    {
      url,
      pages: [
        { name: 'a site that is refused', open: signedInAt('ann@example.com', refused) },
        { name: 'a site that is refused to the longest address', open: signedInAt(longestAddress, refused) },
        { name: 'sessions with opened sites', open: opened },
      ],
    },
  ];
}
