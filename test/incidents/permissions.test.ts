import { expect, test } from 'vitest';
import { commandPermissions } from '../../src/features/incidents/settings.ts';
import { latchkeyOn } from '../cli/run-latchkey.ts';
import { startApp } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { testRedis } from '../support/test-redis.ts';

const redisAddress = await testRedis();
const { url, redis } = await startApp({ redisAddress });

test.each([
  ['end', '--everyone'],
  ['end', 'ann@example.com'],
  ['block', '192.0.2.1'],
  ['unblock', '192.0.2.1'],
  ['export', 'ann@example.com'],
  ['forget', 'ann@example.com'],
  ['remove-passkeys', 'ann@example.com'], // feature: passkeys
])('%s %s does nothing for a Redis user who may not do all of it, and names the rule', async (...words) => {
  const ann = await signedIn(url, 'ann@example.com');
  await redis.aclSetUser('default', '-rpush');
  const latchkey = latchkeyOn(`unix://${redisAddress.socketPath}`);
  await expect(latchkey(...words)).rejects.toMatchObject({
    problems: [expect.stringMatching(/^the Redis user may not use rpush, .*\(\+rpush\), or run them with another/)],
  });
  await redis.aclSetUser(
    'default',
    Object.keys(commandPermissions).map((name) => `+${name}`),
  );
  expect((await latchkey('blocks')).json).toEqual({ blocks: [] });
  expect((await ann.get('/admin')).status).toBe(200);
});
