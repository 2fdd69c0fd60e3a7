import { describe, expect, test } from 'vitest';
import { host, proxyNames, settings, startShippedProxy } from '../deploy/shipped.ts';
import { loginButton } from '../support/browser.ts';
import { heading, useChromium } from '../support/browsing.ts';
import { chromiumBehind } from '../support/chromium-behind.ts';
import { newAddress, startCodeApp } from './code-login.ts';

const app = await startCodeApp({ env: settings });
const port = Number(new URL(app.url).port);
const proxies = await Promise.all(
  proxyNames.map(async (name) => [name, await startShippedProxy(name, [port, port])] as const),
);

describe.each(proxies)('behind %s with the shipped files', (_name, proxy) => {
  const origin = `https://${host}`;
  const openProfile = useChromium(() => [origin], chromiumBehind(proxy));

  test('a person signs in by code over TLS and HTTP/2, and logs out', async () => {
    const page = await (await openProfile({ expectedNoise: /status of 401/ })).newPage();
    const email = newAddress();
    await page.goto(`${origin}/login`);
    expect(await page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")).toBe('h2');
    await page.getByLabel('E-mail address').fill(email);
    await loginButton(page).click();
    await page.waitForURL(`${origin}/login/code`);
    // The form is submitted with the last digit.
    await page.getByLabel(/code/i).fill(await app.mails.codeFor(email));
    await page.waitForURL((url) => url.pathname !== '/login/code');
    await page.goto(`${origin}/admin`);
    expect(await heading(page)).toBe(`Hello ${email}`);
    const [cookie] = (await page.context().cookies()).filter(({ name }) => name === '__Host-session');
    expect(cookie).toMatchObject({ secure: true, httpOnly: true, sameSite: 'Lax' });
    await page.getByRole('button', { name: 'Log out', exact: true }).first().click();
    await page.waitForURL(`${origin}/`);
    await page.goto(`${origin}/admin`);
    expect(await heading(page)).not.toBe(`Hello ${email}`);
  });
});
