import { afterEach, expect, test, vi } from 'vitest';
import { usualPatienceMs } from '../../src/features/bound-sessions/tries.ts';
import { latchkeyOn } from '../cli/run-latchkey.ts';
import { startApp } from '../support/app.ts';
import { testRedis } from '../support/test-redis.ts';
import { BoundBrowser, https, thiefOf } from './bound-browser.ts';
import { passSeconds } from './clock.ts';

const redisAddress = await testRedis();
const app = await startApp({ env: https, redisAddress });
const latchkey = latchkeyOn(`unix://${redisAddress.socketPath}`);
const email = 'ann@example.com';

afterEach(() => void vi.useRealTimers());

test('the operator sees which sessions are bound, what a thief has tried, and what is held about it', async () => {
  const owner = new BoundBrowser(app.url);
  await owner.bind(email);
  passSeconds(61);
  const thief = thiefOf(owner, app.url, '__Host-session');
  await thief.get('/admin');
  passSeconds(usualPatienceMs / 1000);
  await thief.get('/admin');
  const { text, json } = await latchkey('sessions', email);
  expect(text).toMatch(/ BOUND\n.* yes\n/);
  expect(json).toMatchObject({ sessions: [{ isBound: true }] });
  const why = async () => (await latchkey('why', email)).text;
  await expect.poll(why).toContain('bound session refused: no bound cookie');
  const exported = JSON.stringify((await latchkey('export', email)).json);
  expect(exported).toContain('"refusedTries":2');
  expect(exported).not.toContain(owner.sessionId);
});
