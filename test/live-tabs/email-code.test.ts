import { test } from 'vitest';
import { newAddress, newBrowser, signInByCode, startCodeApp } from '../email-code/code-login.ts';
import { keepOutOfLogs } from '../support/secrets.ts';
import { Visitor } from '../support/visitor.ts';
import { expectEnd, listen } from './listener.ts';

const app = await startCodeApp();

test('a stream says that its session has ended by the link in a mail', async () => {
  const email = newAddress();
  const browser = newBrowser(app.url);
  await signInByCode(app, browser, email);
  const { text = '' } = await app.mails.mailTo(email, 'notice');
  const token = /end-session\?token=([\w-]+)/.exec(text)?.[1] ?? '';
  keepOutOfLogs(token);
  const listener = await listen(app.url, browser);
  await new Visitor(app.url, { Accept: 'text/html' }).post('/end-session', { form: { token } });
  await expectEnd(listener, email);
});
