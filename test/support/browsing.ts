import type { Browser, BrowserContext, BrowserContextOptions, ConsoleMessage, Page, Response } from 'playwright-core';
import { beforeAll, expect, onTestFinished, vi } from 'vitest';
import { afterwards } from './afterwards.ts';
import { launchChromium } from './browser.ts';
import { keepOutOfLogs } from './secrets.ts';

type ProfileOptions = BrowserContextOptions & {
  /** What Chromium itself is expected to write to the console of another site's page. */
  expectedNoise?: RegExp;
};

/** Opens a browser profile of its own: no cookies, no history. */
export type OpenProfile = (options?: ProfileOptions) => Promise<BrowserContext>;

/**
 * Chromium for a test file. Every page of every profile is watched, and the test fails when one of them writes
 * to the console or asks anything of another origin than the ones it names.
 */
export function useChromium(ownOrigins: () => string[]): OpenProfile {
  return async function openProfile(options) {
    const { profile, finish } = await openWatched(ownOrigins, options);
    onTestFinished(finish);
    return profile;
  };
}

/** One page for all tests of a group, in a profile of its own and watched as well; each leaves it as it was. */
export function usePage(ownOrigins: () => string[], open: (profile: BrowserContext) => Promise<Page>): () => Page {
  let opened: Page | undefined;
  beforeAll(async () => {
    const { profile, finish } = await openWatched(ownOrigins);
    opened = await open(profile);
    return finish;
  });
  return function page() {
    if (!opened) throw new Error('the page is opened before the first test of its group');
    return opened;
  };
}

let browser: Promise<Browser> | undefined;

function openBrowser(): Promise<Browser> {
  if (browser) return browser;
  const opened = launchChromium();
  browser = opened;
  afterwards(async () => {
    browser = undefined;
    await (await opened).close();
  });
  return opened;
}

async function openWatched(
  ownOrigins: () => string[],
  { expectedNoise, ...options }: ProfileOptions = {},
): Promise<{ profile: BrowserContext; finish: () => Promise<void> }> {
  const profile = await (await openBrowser()).newContext(options);
  const complaints: string[] = [];
  const reading: Promise<void>[] = [];
  profile.on('console', (message) => {
    const text = message.text();
    if (isOwnNote(message) || expectedNoise?.test(text)) return;
    complaints.push(text);
  });
  profile.on('weberror', (problem) => complaints.push(String(problem.error())));
  profile.on('request', (request) => {
    const { origin } = new URL(request.url());
    if (!ownOrigins().includes(origin)) complaints.push(`asked ${origin}`);
  });
  profile.on('response', (response) => {
    if (['document', 'xhr'].includes(response.request().resourceType())) reading.push(keepCookiesOutOfLogs(response));
  });
  async function finish(): Promise<void> {
    await Promise.all(reading);
    for (const page of profile.pages()) await hearOut(page, complaints);
    await profile.close();
    expect(complaints).toEqual([]);
  }
  return { profile, finish };
}

// A page's messages come in order: once its last word is among them, nothing of it went unheard.
async function hearOut(page: Page, heard: string[]): Promise<void> {
  const lastWord = `last word ${crypto.randomUUID()}`;
  await page.evaluate(`console.info(${JSON.stringify(lastWord)})`);
  await vi.waitFor(() => expect(heard).toContain(lastWord), { interval: 5 });
  heard.splice(heard.indexOf(lastWord), 1);
}

// Chromium notes every page that answers with an error status, every `Clear-Site-Data` that it obeyed, and an
// `autofocus` for which a test was too quick.
function isOwnNote(message: ConsoleMessage): boolean {
  const isAbout = (start: string) => message.text().startsWith(start);
  if (isAbout('Clear-Site-Data header on') && message.text().includes('Cleared data types:')) return true;
  if (isAbout('Autofocus processing was blocked because a document already has a focused element')) return true;
  const isPage = message.location().url === message.page()?.url();
  return isPage && isAbout('Failed to load resource: the server responded with a status of');
}

async function keepCookiesOutOfLogs(response: Response): Promise<void> {
  for (const { name, value } of await response.headersArray()) {
    const [, cookie = ''] = /^[^=]+=([^;]*)/.exec(value) ?? [];
    if (name.toLowerCase() !== 'set-cookie' || cookie === '') continue;
    keepOutOfLogs(cookie, decodeURIComponent(cookie));
    const sessionId = /^s%3A([\w-]+)/.exec(cookie)?.[1];
    if (sessionId) keepOutOfLogs(sessionId);
  }
}

/** What the page says it is about. */
export function heading(page: Page): Promise<string | null> {
  return page.getByRole('heading', { level: 1 }).textContent();
}
