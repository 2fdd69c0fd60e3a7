import { afterEach, describe, expect, test, vi } from 'vitest';
import { boundCookieSeconds } from '../../src/features/bound-sessions/bound-cookie.ts';
import { boundSiteSeconds } from '../../src/features/gate/site-sessions.ts';
import { GateBrowser, login, navigation, script, startGateApp, wiki } from '../gate/gate-app.ts';
import { read } from '../support/documents.ts';
import { BoundBrowser } from './bound-browser.ts';
import { passSeconds } from './clock.ts';

const app = await startGateApp();
const limits = { remember: 'on' };

afterEach(() => void vi.useRealTimers());

/** A browser that has opened the site with a bound session, and what proves the key for it. */
async function member(): Promise<{ browser: GateBrowser; prover: BoundBrowser }> {
  passSeconds(0);
  const prover = new BoundBrowser(app.url);
  await prover.bind('ann@example.com', limits);
  const browser = new GateBrowser(app);
  share(prover, browser);
  expect((await browser.open(`${wiki}/page`)).status).toBe(204);
  return { browser, prover };
}

function share(from: BoundBrowser, to: GateBrowser): void {
  for (const [name, value] of from.cookies) to.cookies(login).set(name, value);
}

test('a site stays open for an hour to a bound session, and the next page load opens it again', async () => {
  const { browser, prover } = await member();
  passSeconds(boundSiteSeconds - 1);
  expect((await browser.check(`${wiki}/data`, { headers: script })).status).toBe(204);
  passSeconds(1);
  expect((await browser.check(`${wiki}/data`, { headers: script })).status).toBe(401);
  await prover.prove();
  share(prover, browser);
  expect((await browser.open(`${wiki}/page`)).status).toBe(204);
  expect((await browser.check(`${wiki}/data`, { headers: script })).status).toBe(204);
});

test('a thief with the cookies of the site and of the session cannot open it again', async () => {
  const { browser } = await member();
  passSeconds(boundSiteSeconds);
  browser.cookies(login).delete('__Host-bound');
  const { status, text } = await browser.open(`${wiki}/page`);
  expect({ status, isLogin: text.includes('E-mail address') }).toEqual({ status: 200, isLogin: true });
});

test('a thief with a stolen pair keeps a site that was opened in time, and no longer', async () => {
  const { browser, prover } = await member();
  await prover.prove();
  const thief = new GateBrowser(app);
  share(prover, thief);
  passSeconds(boundCookieSeconds - 1);
  expect((await thief.open(`${wiki}/page`)).status).toBe(204);
  passSeconds(boundSiteSeconds - 1);
  expect((await thief.check(`${wiki}/page`)).status).toBe(204);
  passSeconds(1);
  expect((await thief.check(`${wiki}/page`)).status).toBe(401);
  expect((await thief.open(`${wiki}/page`)).text).toContain('E-mail address');
  await prover.prove();
  share(prover, browser);
  expect((await browser.open(`${wiki}/page`)).status).toBe(204);
});

describe('a thief with the cookie of a site whose hour is over', () => {
  /** The browser of a thief, and the owner's. */
  async function thief(): Promise<{ browser: GateBrowser; prover: BoundBrowser }> {
    const { browser, prover } = await member();
    passSeconds(boundSiteSeconds + 1);
    browser.cookies(login).clear();
    return { browser, prover };
  }

  test('cannot log the owner out', async () => {
    const { browser, prover } = await thief();
    const answer = await browser.post(`${wiki}/.latchkey/logout`, {}, { Origin: wiki });
    expect(answer).toMatchObject({ status: 303, location: `${login}/logout` });
    await prover.prove();
    expect((await prover.get('/admin')).status).toBe(200);
  });

  test('is not told whose it is', async () => {
    const { browser } = await thief();
    expect((await browser.visit(`${wiki}/.latchkey/refused`)).text).not.toContain('ann@example.com');
  });

  test('is led to the login site, and not round in circles', async () => {
    const { browser } = await thief();
    const answer = await browser.visit(`${wiki}/.latchkey/enter?ticket=x&to=Lw`);
    expect(answer).toMatchObject({ status: 303, location: expect.stringContaining(`${wiki}/.latchkey/start`) });
  });
});

test('a session that is not bound keeps its sites', async () => {
  const browser = new GateBrowser(app);
  await browser.openAs('ann@example.com', `${wiki}/page`, limits);
  passSeconds(boundSiteSeconds);
  expect((await browser.check(`${wiki}/page`, { headers: navigation })).status).toBe(204);
});

test('the time is documented as it is', () => {
  const page = read('docs/bound-sessions.md').replace(/\s+/g, ' ');
  expect(page).toContain(`a site stays open for ${boundSiteSeconds / 60} minutes`);
  expect(page).toContain(`is worth ${boundSiteSeconds / 60} minutes at most, and nothing on any other site`);
  const both = (boundCookieSeconds + boundSiteSeconds) / 60;
  expect(page).toContain(`so until ${both} minutes after the theft, or longer if the clock is set back`);
});
