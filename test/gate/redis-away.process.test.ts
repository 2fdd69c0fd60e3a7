import { expect, test } from 'vitest';
import { startRedisServer } from '../support/redis-server.ts';
import { GateBrowser, login, navigation, startGateApp, wiki } from './gate-app.ts';

test('when Redis is away, checks are answered 503 at once, and logging out is not pretended', async () => {
  const redis = await startRedisServer('secret');
  const app = await startGateApp({ redisAddress: { url: redis.url } });
  const browser = new GateBrowser(app);
  await browser.openAs('ann@example.com', `${wiki}/`);
  await redis.kill();
  for (const proxy of ['nginx', 'forward', 'envoy'] as const) {
    const answer = await browser.check(`${wiki}/`, { proxy, headers: navigation });
    expect(answer).toMatchObject({ status: 503, location: undefined, headers: { 'retry-after': '5' } });
  }
  const sameOrigin = { ...navigation, 'Sec-Fetch-Site': 'same-origin' };
  const logout = await browser.visit(`${wiki}/.latchkey/logout`, sameOrigin);
  expect(logout).toMatchObject({ status: 503, setCookies: [] });
  expect(logout.headers).toMatchObject({ 'retry-after': '5' });
  expect(logout.headers).not.toHaveProperty('strict-transport-security');
  expect(logout.text).not.toContain('style.css');
  // Without a cookie there is nothing to ask Redis for.
  expect(await new GateBrowser(app).check(`${wiki}/`, { headers: navigation })).toMatchObject({ status: 401 });
  expect(app.logged().filter(({ msg }) => msg === 'request failed')).toEqual([]);

  await redis.start();
  await expect.poll(async () => (await browser.visit(`${login}/readyz`)).status, { timeout: 5000 }).toBe(200);
  const again = await browser.check(`${wiki}/`);
  // Its sessions went with it.
  expect(again.status).toBe(401);
});
