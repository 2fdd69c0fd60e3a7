import { expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { signIn } from '../support/browser.ts';
import { useChromium } from '../support/browsing.ts';

const { url } = await startApp();
const openProfile = useChromium(() => [url]);

// ASVS 14.3.2
test('after logout, neither Back nor opening it again shows a page that was signed in', async () => {
  const profile = await openProfile();
  const page = await profile.newPage();
  await signIn(page, url, 'ann@example.com');
  await page.getByText('Hello').waitFor();
  await page.getByRole('banner').getByRole('button', { name: 'Log out' }).click();
  await page.waitForURL(`${url}/`);
  expect((await page.goBack())?.status()).toBe(401);
  expect(await page.getByText('Hello').count()).toBe(0);
  const reopened = await profile.newPage();
  expect((await reopened.goto(`${url}/admin`))?.status()).toBe(401);
});
