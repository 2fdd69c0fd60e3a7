import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startApp } from '../support/app.ts';
import { BoundBrowser, https } from './bound-browser.ts';
import { passSeconds } from './clock.ts';

const { redis, url } = await startApp({ env: https });
let owner: BoundBrowser;

beforeEach(async () => {
  owner = new BoundBrowser(url);
  await owner.bind();
  // Past the time in which a session is good without proof.
  passSeconds(61);
});
afterEach(() => void vi.useRealTimers());

test('without Redis a refresh is answered with 503, and goes on when it is back', async () => {
  await redis.sendCommand(['CLIENT', 'PAUSE', '1300', 'ALL']);
  const away = await owner.refresh();
  expect([away.status, away.headers.get('Retry-After')]).toEqual([503, '5']);
  await redis.ping();
  await owner.prove();
  expect((await owner.get('/admin')).text).toContain('Hello ann@example.com');
});

test('a logout that failed takes no cookie from the browser', async () => {
  await redis.sendCommand(['CLIENT', 'PAUSE', '1300', 'WRITE']);
  const { status, setCookies } = await owner.post('/logout');
  expect({ status, setCookies }).toEqual({ status: 503, setCookies: [] });
  await redis.set('paused', '');
});
