import { createHash, X509Certificate } from 'node:crypto';
import { type Browser, chromium, type LaunchOptions, type Locator, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { findOnPath } from '../../src/dev/private-redis.ts';
import type { Certificate } from './certificate.ts';

const programs = ['chromium', 'chromium-browser', 'google-chrome'];
/** Chromium without what is around its pages, such as tabs and menus. */
const headlessShells = ['chromium-headless-shell', 'chrome-headless-shell'];

const quiet = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Features of Chromium that Playwright turns off. Those that no Chromium on Linux has are left out. */
export const disabledByPlaywright = [
  'AvoidUnnecessaryBeforeUnloadCheckSync',
  'DestroyProfileOnBrowserClose',
  'HttpsUpgrades',
  'HttpsFirstBalancedModeAutoEnable',
  'LensOverlay',
  'MediaRouter',
  'PaintHolding',
  'ThirdPartyStoragePartitioning',
  'AvoidCorsURLLoaderRestartOnRedirect',
  'OptimizationHints',
  'NetworkTimeServiceQuerying',
  'AimEnabled',
  'PreconnectToSearch',
];

/**
 * Chromium heeds only the last list that it is given, so this one repeats Playwright's. The address bar's popups are
 * pages of Chromium's own, which it loads anew for each tab: they took most of the time of the browser tests.
 */
const disabledFeatures = [...disabledByPlaywright, 'WebUIOmniboxPopup', 'WebUIOmniboxAimPopup'];

export type ChromiumOptions = {
  /** Whether a headless shell will do, if there is one: it takes a third less processor time. */
  headlessShell?: boolean;
  /** Whether the back/forward cache is on, as it is for everybody but Playwright. */
  keepsPages?: boolean;
  /** A certificate that is signed by itself. */
  trusts?: Certificate;
  /** Hosts, and the addresses with ports at which they are found. */
  resolves?: Record<string, string>;
  /** Features of Chromium that are off by default. */
  features?: string[];
};

/**
 * A headless Chromium: the one that `CHROMIUM_PATH` names, else one on PATH, else the one Playwright downloaded. Where a
 * headless shell will do, one on PATH comes before any other on PATH.
 */
export function launchChromium(options: ChromiumOptions = {}): Promise<Browser> {
  return chromium.launch(launchOptions(options));
}

/** How Chromium is started, by whatever method of Playwright. */
export function launchOptions({
  headlessShell = false,
  keepsPages = false,
  trusts,
  resolves = {},
  features = [],
}: ChromiumOptions): LaunchOptions {
  // Chromium's sandbox refuses to run for root, which is who runs tests in many a container.
  const asRoot = process.getuid?.() === 0;
  // It has no back/forward cache.
  const isShellEnough = headlessShell && !keepsPages;
  const rules = Object.entries(resolves).map(([host, address]) => `MAP ${host} ${address}`);
  return {
    executablePath:
      process.env.CHROMIUM_PATH ||
      findOnPath(isShellEnough ? [...headlessShells, ...programs] : programs) ||
      chromium.executablePath(),
    args: [
      ...quiet,
      `--disable-features=${disabledFeatures.join(',')}`,
      ...(asRoot ? ['--no-sandbox'] : []),
      ...(trusts ? [`--ignore-certificate-errors-spki-list=${publicKeyHash(trusts)}`] : []),
      ...(features.length > 0 ? [`--enable-features=${features.join(',')}`] : []),
      ...(rules.length > 0 ? [`--host-resolver-rules=${rules.join(',')}`] : []),
    ],
    ...(keepsPages && { ignoreDefaultArgs: ['--disable-back-forward-cache'] }),
    chromiumSandbox: !asRoot,
  };
}

function publicKeyHash({ cert }: Certificate): string {
  const key = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('base64');
}

/** Signs in through the form of the login page, where addresses are trusted. */
export async function signIn(page: Page, origin: string, email: string): Promise<void> {
  await submitAddress(page, origin, email);
  await page.waitForURL(`${origin}/admin`);
}

/** Submits an address through the form of the login page. */
export async function submitAddress(page: Page, origin: string, email: string): Promise<void> {
  await page.goto(`${origin}/login`);
  await page.getByLabel('E-mail address').fill(email);
  await loginButton(page).click();
}

/** Ends the session just as a form is sent to this path: if it ended sooner, the page itself might say so first. */
export async function endSessionOnSubmit(page: Page, path: string, endSession: () => Promise<unknown>): Promise<void> {
  const isPath = ({ pathname }: URL) => pathname === path;
  let hasEnded = false;
  await page.route(isPath, async function submit(route) {
    if (hasEnded || route.request().method() !== 'POST') return route.fallback();
    hasEnded = true;
    await endSession();
    await route.continue();
    await page.unroute(isPath, submit);
  });
}

/** The button of the login form, whatever it is called. */
export function loginButton(page: Page): Locator {
  return page.getByRole('main').getByRole('button', { name: /^(Log in|Mail me a code|Send a new code|Try again)$/ });
}

/** How far below the top of the window it ends. */
export async function bottomOf(element: Locator): Promise<number> {
  const { y = 0, height = Number.NaN } = (await element.boundingBox()) ?? {};
  return y + height;
}

/** Waits until all of it is inside the window. */
export async function expectWholeInView(element: Locator): Promise<void> {
  const { height: windowHeight = 0 } = element.page().viewportSize() ?? {};
  const outside = async () => {
    const { y = Number.NaN, height = 0 } = (await element.boundingBox()) ?? {};
    return { above: y < 0, below: !(y + height <= windowHeight) };
  };
  await expect.poll(outside, { timeout: 5000 }).toEqual({ above: false, below: false });
}
