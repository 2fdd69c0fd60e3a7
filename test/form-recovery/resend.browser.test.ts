import { expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { endSessionOnSubmit, signIn } from '../support/browser.ts';
import { useChromium } from '../support/browsing.ts';
import { Visitor } from '../support/visitor.ts';

const { url, redis } = await startApp();
const openProfile = useChromium(() => [url], {});

test('a form sent after its session has ended is sent again from the same page after login', async () => {
  const email = 'ann@example.com';
  const other = new Visitor(url);
  const page = await (await openProfile()).newPage();
  await signIn(page, url, email);
  await other.signIn(email);
  await page.reload();
  await endSessionOnSubmit(page, '/admin/end-session', async () => {
    await redis.flushAll();
    await other.signIn(email);
  });
  await page.getByRole('button', { name: /^End session/ }).click();
  await page.getByRole('heading', { name: 'Please login first.' }).waitFor();
  const newTab = page.waitForEvent('popup');
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('E-mail address').press('Enter');
  await (await newTab).waitForURL(`${url}/admin`);
  await page.getByRole('button', { name: 'Send it again' }).click();
  await page.waitForURL(`${url}/admin`);
  expect(await page.getByRole('status').textContent()).toBe('You have no such session any more.');
  expect(await page.getByRole('status').evaluate((notice) => notice === document.activeElement)).toBe(true);
});
