import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { afterwards } from '../support/afterwards.ts';
import { startApp } from '../support/app.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { testRedis } from '../support/test-redis.ts';
import { BoundBrowser, https } from './bound-browser.ts';
import { passSeconds } from './clock.ts';

const link = await startTcpProxy({ path: (await testRedis()).socketPath });
afterwards(link.close);
const redisAddress = { url: `redis://127.0.0.1:${link.port}` };
const { redis, url } = await startApp({ env: https, redisAddress });
let owner: BoundBrowser;

beforeEach(async () => {
  owner = new BoundBrowser(url);
  await owner.bind();
  // Past the time in which a session is good without proof.
  passSeconds(61);
});
afterEach(() => void vi.useRealTimers());

test('without Redis a refresh is answered with 503, and goes on when it is back', async () => {
  link.hold();
  const away = await owner.refresh();
  link.release();
  expect([away.status, away.headers.get('Retry-After')]).toEqual([503, '5']);
  await owner.prove();
  expect((await owner.get('/admin')).text).toContain('Hello ann@example.com');
});

test('a logout that failed takes no cookie from the browser', async () => {
  await redis.sendCommand(['CLIENT', 'PAUSE', '60000', 'WRITE']);
  const { status, setCookies } = await owner.post('/logout');
  await redis.sendCommand(['CLIENT', 'UNPAUSE']);
  expect({ status, setCookies }).toEqual({ status: 503, setCookies: [] });
});
