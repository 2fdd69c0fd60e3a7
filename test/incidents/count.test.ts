import { expect, test } from 'vitest';
import { latchkeyOn } from '../cli/run-latchkey.ts';
import { startApp } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { testRedis } from '../support/test-redis.ts';

test('one session of one address is told in the singular', async () => {
  const redisAddress = await testRedis();
  const { url } = await startApp({ redisAddress });
  await signedIn(url);
  const { text } = await latchkeyOn(`unix://${redisAddress.socketPath}`)('count');
  expect(text).toMatch(/^1 live session of 1 address\n/);
});
