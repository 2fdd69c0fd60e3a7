import { expect, test } from 'vitest';
import { newFile, png, svg } from '../branding/pictures.ts';
import { startMailServer } from '../mail/mail-server.ts';
import { askForCode, newAddress, newBrowser, startCodeApp } from './code-login.ts';

const mails = await startMailServer();

async function mailWith(env: Record<string, string>): Promise<string> {
  const { url } = await startCodeApp({ mails, env });
  const email = newAddress();
  await askForCode(newBrowser(url), email);
  return String((await mails.mailTo(email, 'code')).html);
}

test('a mail has the colors of the site, and its logo where mail programs show it', async () => {
  const html = await mailWith({ SITE_COLOR: '#0b6e4f', SITE_LOGO: newFile('logo.png', png(60, 20)) });
  expect(html).toContain('background:#0b6e4f;color:#ffffff');
  expect(html).toMatch(/<img src="http:\/\/127\.0\.0\.1:\d+\/branding\/logo\?v=[\w-]+" alt="" width="84" height="28"/);
  expect(html).not.toMatch(/#3056d3|#93adff/);
});

test('a mail shows no SVG, and our own colors where no other is set', async () => {
  const html = await mailWith({ SITE_LOGO: newFile('logo.svg', svg()) });
  expect(html).not.toContain('<img');
  expect(html).toContain('background:#3056d3;color:#ffffff');
});
