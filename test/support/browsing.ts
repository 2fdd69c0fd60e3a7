import type { Browser, BrowserContext, BrowserContextOptions, ConsoleMessage, Page, Response } from 'playwright-core';
import { afterEach, beforeAll, expect, onTestFinished, vi } from 'vitest';
import { afterwards } from './afterwards.ts';
import { type ChromiumOptions, launchChromium } from './browser.ts';
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
export function useChromium(ownOrigins: () => string[], chromium: ChromiumOptions = {}): OpenProfile {
  return async function openProfile(options) {
    const { profile, finish } = await openWatched(ownOrigins, options, chromium);
    onTestFinished(finish);
    return profile;
  };
}

/** A tab that many tests use one after the other, since opening one takes longer than most of them. */
export type Tab = {
  page: () => Page;
  /** Forgets what the tests before left: cookies, headers, other tabs, media and size. */
  reset: () => Promise<Page>;
};

/** One tab for all tests of a file or a group, in a profile of its own and watched as well, after each of them. */
export function useTab(ownOrigins: () => string[], options: ProfileOptions = {}): Tab {
  let page: Page | undefined;
  let check = async () => {};
  beforeAll(async () => {
    const watched = await openWatched(ownOrigins, options);
    page = await watched.profile.newPage();
    check = watched.check;
    return watched.finish;
  });
  afterEach(() => check());

  function current(): Page {
    if (!page) throw new Error('the tab is opened before the first test');
    return page;
  }
  async function reset(): Promise<Page> {
    const tab = current();
    for (const other of tab.context().pages()) if (other !== tab) await other.close();
    await tab.context().clearCookies();
    await tab.context().setExtraHTTPHeaders({});
    await tab.emulateMedia({ media: null, colorScheme: null, forcedColors: null, contrast: null, reducedMotion: null });
    await tab.setViewportSize(options.viewport ?? { width: 1280, height: 720 });
    return tab;
  }
  return { page: current, reset };
}

let browser: Promise<Browser> | undefined;

function openBrowser(chromium: ChromiumOptions): Promise<Browser> {
  if (browser) return browser;
  const opened = launchChromium({ headlessShell: true, ...chromium });
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
  chromium: ChromiumOptions = {},
): Promise<{ profile: BrowserContext; check: () => Promise<void>; finish: () => Promise<void> }> {
  const profile = await (await openBrowser(chromium)).newContext(options);
  // Less than a test may take, so that the error names the step.
  profile.setDefaultTimeout(15_000);
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
  async function check(): Promise<void> {
    await Promise.all(reading);
    for (const page of profile.pages()) await hearOut(page, complaints);
    expect(complaints.splice(0)).toEqual([]);
  }
  async function finish(): Promise<void> {
    await check().finally(() => profile.close());
  }
  return { profile, check, finish };
}

// A page's messages come in order: once its last word is among them, nothing of it went unheard.
async function hearOut(page: Page, heard: string[]): Promise<void> {
  const lastWord = `last word ${crypto.randomUUID()}`;
  const say = () => page.evaluate(`console.info(${JSON.stringify(lastWord)})`).then(() => true);
  // A page that is being left has no say; the one that follows has.
  const isLeft = (error: Error) => {
    if (!/context was destroyed|because of a navigation/.test(error.message)) throw error;
    return false;
  };
  while (!(await say().catch(isLeft))) await page.waitForLoadState();
  await vi.waitFor(() => expect(heard).toContain(lastWord), { timeout: 10_000, interval: 5 });
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
