import { createServer } from 'node:http';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { signIn } from '../support/browser.ts';
import { heading, useTab } from '../support/browsing.ts';
import { listenLocally } from '../support/servers.ts';

const { url } = await startApp();

// Another site's pages, each of which does what its name says when its button or link is clicked.
const pages: Record<string, string> = {
  '/sign-in': `<form method="post" action="${url}/login"><input name="email" value="mallory@example.com"><button>Go</button></form>`,
  '/post-logout': `<form method="post" action="${url}/logout"><button>Go</button></form>`,
  '/get-logout': `<form action="${url}/logout"><button>Go</button></form>`,
  '/link-logout': `<a role="button" href="${url}/logout">Go</a>`,
  '/embed-logout': `<img src="${url}/logout"><iframe src="${url}/logout"></iframe>`,
};
const otherSite = createServer((req, res) => {
  const body = pages[req.url ?? ''];
  res.writeHead(body === undefined ? 404 : 200, { 'Content-Type': 'text/html' });
  res.end(`<!doctype html><link rel="icon" href="data:,">${body}`);
});
const otherUrl = await listenLocally(otherSite);
afterAll(() => new Promise((done) => otherSite.close(done).closeAllConnections()));

// To a browser, another port is another origin of the same site: it sends even SameSite cookies along.
const otherOrigins = [otherUrl.replace('127.0.0.1', 'localhost'), otherUrl];

const tab = useTab(() => [url, ...otherOrigins, 'null'], {
  expectedNoise: /ERR_BLOCKED_BY_RESPONSE|Refused to (display|frame)|frame-ancestors/,
});

// ASVS 3.5.1, 3.5.3
describe.each(otherOrigins)('a page on %s', (origin) => {
  test('cannot sign a visitor in', async () => {
    const page = await tab.reset();
    expect(await click(page, `${origin}/sign-in`)).toBe(403);
    expect(await heading(page)).toBe('This form was sent from another site, so nothing was done.');
    expect(await page.context().cookies()).toEqual([]);
  });

  describe('for somebody signed in', () => {
    beforeAll(async () => signIn(await tab.reset(), url, 'ada@example.com'));

    test('cannot make them somebody else', async () => {
      expect(await click(tab.page(), `${origin}/sign-in`)).toBe(403);
      expect(await whoIsSignedIn(tab.page())).toBe('Hello ada@example.com');
    });

    test('cannot sign them out with a form', async () => {
      expect(await click(tab.page(), `${origin}/post-logout`)).toBe(403);
      expect(await whoIsSignedIn(tab.page())).toBe('Hello ada@example.com');
    });

    test('cannot sign them out with an image or a frame', async () => {
      await tab.page().goto(`${origin}/embed-logout`);
      expect(await whoIsSignedIn(tab.page())).toBe('Hello ada@example.com');
    });

    test.each(['/get-logout', '/link-logout'])('leads by %s to a button, which signs out', async (path) => {
      const page = await tab.reset();
      await signIn(page, url, 'ada@example.com');
      expect(await click(page, origin + path)).toBe(200);
      expect(await heading(page)).toBe('Log out?');
      await page.getByRole('link', { name: 'Stay signed in' }).click();
      expect(await heading(page)).toBe('Hello ada@example.com');

      await click(page, origin + path);
      await page.getByRole('main').getByRole('button', { name: 'Log out' }).click();
      await page.waitForURL(`${url}/`);
      expect(await whoIsSignedIn(page)).toBe('Please login first.');
    });
  });
});

/** @returns the status of the page to which the one thing to click there leads */
async function click(page: Page, from: string): Promise<number> {
  await page.goto(from);
  const arrival = page.waitForResponse((response) => response.request().isNavigationRequest());
  await page.getByRole('button', { name: 'Go' }).click();
  const response = await arrival;
  await response.finished();
  return response.status();
}

async function whoIsSignedIn(page: Page): Promise<string | null> {
  await page.goto(`${url}/admin`);
  return heading(page);
}
