import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { disabledByPlaywright } from '../support/browser.ts';

/** For Windows, for Edge, and for Edge on macOS. */
const notOnLinux = ['TcpPortRandomizationWin', 'msForceBrowserSignIn', 'msEdgeUpdateLaunchServicesPreferredVersion'];

test('every feature that this version of Playwright turns off is off in Chromium on Linux', () => {
  const bundle = createRequire(import.meta.url).resolve('playwright-core/lib/coreBundle');
  const [, list = ''] = /\bdisabledFeatures = \[([^\]]+)\]/.exec(readFileSync(bundle, 'utf8')) ?? [];
  const theirs = [...list.matchAll(/^\s*"(\w+)"/gm)].map(([, feature]) => feature);
  expect(theirs.sort()).toEqual([...disabledByPlaywright, ...notOnLinux].sort());
});
