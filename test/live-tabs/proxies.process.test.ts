import { once } from 'node:events';
import https from 'node:https';
import { expect, onTestFinished, test } from 'vitest';
import { tagOf } from '../../src/session/session-id.ts';
import { host, proxyNames, settings, startShippedProxy } from '../deploy/shipped.ts';
import { startApp } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { expectEnd, listen } from './listener.ts';

const app = await startApp({ env: { ...settings, SIGN_IN: 'trust' } });
const port = Number(new URL(app.url).port);
/** Counted from when a client without a proxy has the message, so that a busy app is not the proxy's fault. */
const atOnceMs = 5000;
const throughProxy = { Host: host, 'X-Forwarded-Proto': 'https' };

test.each(proxyNames)('%s with the shipped files passes each message on at once', async (name) => {
  const proxy = await startShippedProxy(name, [port, port]);
  const visitor = await signedIn(app.url, 'ann@example.com', throughProxy);
  const direct = await listen(app.url, visitor, throughProxy);
  const ca = proxy.certificate.cert;
  const request = https.get({
    ...{ host: '127.0.0.1', port: proxy.port, servername: host, ca, agent: false, path: '/session-events' },
    headers: { Host: host, Cookie: visitor.cookieHeader, 'Accept-Encoding': 'gzip, br' },
  });
  onTestFinished(() => void request.destroy());
  let text = '';
  const [response] = await once(request, 'response');
  response.on('data', (bytes: Buffer) => {
    text += bytes;
  });
  // The next one comes only with the logout, so a proxy that waits for more shows nothing until then.
  await expect.poll(() => text, { timeout: atOnceMs, interval: 10 }).toBe(`data: ${tagOf('ann@example.com')}\n\n`);
  expect((await visitor.post('/logout')).status).toBe(303);
  await expectEnd(direct);
  await expect.poll(() => text, { timeout: atOnceMs, interval: 10 }).toMatch(/\n\ndata: nobody\n\n$/);
  await expect.poll(() => response.complete).toBe(true);
});
