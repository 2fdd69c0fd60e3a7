import { beforeEach, describe, expect, test } from 'vitest';
import { bottomOf, loginButton } from '../support/browser.ts';
import { useTab } from '../support/browsing.ts';
import { askForCode } from './browser.ts';
import { newAddress, startCodeApp } from './code-login.ts';

const { url } = await startCodeApp();
const tab = useTab(() => [url]);
beforeEach(() => tab.reset());

describe('on a phone of 360 by 640', () => {
  test.each(['/', '/login'])('%s shows the form with its button, also while a code is on its way', async (path) => {
    const page = tab.page();
    await page.setViewportSize({ width: 360, height: 640 });
    await page.goto(url + path);
    expect(await loginButton(page).textContent()).toBe('Mail me a code');
    expect(await bottomOf(loginButton(page))).toBeLessThanOrEqual(640);
    const email = newAddress();
    await askForCode(page, url, email);
    await page.goto(url + path);
    expect(await page.getByRole('main').textContent()).toContain(`You asked for a code for ${email}.`);
    expect(await page.getByLabel('E-mail address').inputValue()).toBe(email);
    expect(await bottomOf(loginButton(page))).toBeLessThanOrEqual(640);
    await page.getByRole('link', { name: 'Enter the code' }).click();
    await page.waitForURL(`${url}/login/code`);
  });
});
