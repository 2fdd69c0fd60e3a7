import { expect, test } from 'vitest';
import { checkWritable } from '../../src/redis/client.ts';
import { connectUrl } from '../support/app.ts';
import { freePort } from '../support/process.ts';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { expectUnreachable } from '../support/redis-start.ts';
import { loneNode, takeAllSlots } from './lone-node.ts';

test('a Cluster that is not there stops the start, with the reason', async () => {
  await expectUnreachable(`redis+cluster://127.0.0.1:${await freePort()}`, /ECONNREFUSED/);
});

test('so does a Redis that is no Cluster', async () => {
  const { port } = await startRedisServer(password);
  await expectUnreachable(
    `redis+cluster://:${password}@127.0.0.1:${port}`,
    /cluster support disabled: write redis:\/\/ in REDIS_URL$/,
  );
});

test('a write that was refused while a node was away is not carried out when it is back', async () => {
  const node = await takeAllSlots(await startRedisServer(password, await loneNode()));
  const redis = await connectUrl(`redis+cluster://:${password}@127.0.0.1:${node.port}`);
  await node.kill();
  await expect(redis.set('key', 'value')).rejects.toThrow();
  await node.start();
  await expect.poll(() => checkWritable(redis).then(() => 'writable', String), { timeout: 15_000 }).toBe('writable');
  expect(await redis.get('key')).toBeNull();
  redis.destroy();
});
