import { expect, test } from 'vitest';
import { startDemoApp } from '../gate/demo-app.ts';
import { origins, startGateProxy } from '../gate/proxies.ts';
import { loginButton } from '../support/browser.ts';
import { heading, useChromium } from '../support/browsing.ts';
import { chromiumBehind } from '../support/chromium-behind.ts';
import { enterCode } from './browser.ts';
import { newAddress, startCodeApp, wrongCode } from './code-login.ts';

const { login, wiki } = origins;
const { url, mails } = await startCodeApp({ env: { BASE_URL: login, TRUST_PROXY: 'loopback', GATE_SITES: wiki } });
const demo = await startDemoApp();
const proxy = await startGateProxy('nginx', {
  latchkey: Number(new URL(url).port),
  wiki: demo.port,
  reports: demo.port,
});
const openProfile = useChromium(() => [login, wiki], chromiumBehind(proxy));

test.each([{ javaScriptEnabled: true }, { javaScriptEnabled: false }])(
  'a first visit to a deep link of a site leads to the login by code and back, with %o',
  async (options) => {
    const page = await (await openProfile(options)).newPage();
    const email = newAddress();
    const deep = `${wiki}/deep/link?q=a%20b&x=%D0%BF`;
    await page.goto(deep);
    await page.getByLabel('E-mail address').fill(email);
    await loginButton(page).click();
    await page.waitForURL(/\/login\/code/);
    const code = await mails.codeFor(email);
    // The form that is shown once more leads on as the first one does.
    await enterCode(page, wrongCode(code));
    expect(await page.getByRole('alert').textContent()).toContain('That is not the code.');
    await enterCode(page, code);
    // feature: passkeys
    // The offer of a passkey leads on to where the visitor was going.
    if (options.javaScriptEnabled) await page.getByRole('link', { name: 'Not now' }).click();
    // end: passkeys
    await page.waitForURL(deep);
    expect(await heading(page)).toBe('Demo');
    expect(demo.seen.at(-1)?.headers['remote-email']).toBe(email);
  },
);
