import { expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { signIn } from '../support/browser.ts';
import { useChromium } from '../support/browsing.ts';
import { signedIn } from '../support/client.ts';
import { testRedis } from '../support/test-redis.ts';
import { listen, withinMs } from './listener.ts';

const redisAddress = await testRedis();
const app = await startApp({ redisAddress });
const other = await startApp({ redisAddress });
const openProfile = useChromium(() => [app.url]);

test('a stream and every visible tab say within two seconds that their session was ended at another process', async () => {
  const maxPages = app.server.maxConnections;
  const email = 'ann@example.com';
  const profile = await openProfile();
  const [page, otherTab] = [await profile.newPage(), await profile.newPage()];
  await signIn(page, app.url, email);
  await otherTab.goto(`${app.url}/admin`);
  await expect.poll(() => app.server.maxConnections, { timeout: 10_000 }).toBe(maxPages + 1);
  const visitor = await signedIn(other.url, email);
  const listener = await listen(app.url, visitor);
  const startedAt = performance.now();
  await visitor.post('/admin/end-other-sessions');
  await visitor.post('/logout');
  await expect.poll(listener.isOpen, { interval: 10 }).toBe(false);
  await Promise.all([page, otherTab].map((tab) => tab.getByText('Your session has ended').waitFor()));
  expect(performance.now() - startedAt).toBeLessThan(withinMs);
});
