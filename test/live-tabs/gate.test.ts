import { test } from 'vitest';
import { GateBrowser, login, startGateApp, wiki } from '../gate/gate-app.ts';
import { Visitor } from '../support/visitor.ts';
import { expectEnd, listen } from './listener.ts';

const app = await startGateApp();

test('a stream says that its session has ended by a logout at another site', async () => {
  const browser = new GateBrowser(app);
  await browser.openAs('ann@example.com', `${wiki}/`);
  const visitor = new Visitor(app.url);
  for (const [name, value] of browser.cookies(login)) visitor.cookies.set(name, value);
  const listener = await listen(app.url, visitor, { Host: new URL(login).host, 'X-Forwarded-Proto': 'https' });
  await browser.post(`${wiki}/.latchkey/logout`, {}, { Origin: wiki });
  await expectEnd(listener);
});
