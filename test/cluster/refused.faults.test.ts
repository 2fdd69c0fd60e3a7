import { expect, test } from 'vitest';
import { ask } from '../support/client.ts';
import { startServer } from '../support/process.ts';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { loneNode, takeAllSlots } from './lone-node.ts';

const patience = { timeout: 15_000, interval: 50 };

test('after a restart that lost the ACL, /readyz and the log say why the node is not back', async () => {
  const node = await takeAllSlots(await startRedisServer(password, await loneNode()));
  const allow = () => node.client((admin) => admin.aclSetUser('latchkey', ['on', '>secret', '~*', '&*', '+@all']));
  await allow();
  const server = await startServer({ env: { REDIS_URL: `redis+cluster://latchkey:secret@127.0.0.1:${node.port}` } });
  const readiness = async () => (await ask(server.url(), 'get', '/readyz')).text;
  await node.kill();
  await node.start();
  await expect.poll(readiness, patience).toBe('no connection to Redis: WRONGPASS\n');
  // Logged on its own, which may take longer than the answer.
  await expect
    .poll(() => server.logged("Redis can't be reached again"), patience)
    .toMatchObject([{ reason: 'WRONGPASS', err: { message: expect.stringMatching(/password in REDIS_URL/) } }]);
  await allow();
  await expect.poll(readiness, patience).toBe('ok\n');
  await expect.poll(() => server.logged('Redis back'), patience).toHaveLength(1);
});
