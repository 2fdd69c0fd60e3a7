import { createHash } from 'node:crypto'; // feature: performance
import { expect, test } from 'vitest';
import { prefixKeys } from '../../src/features/redis-key-prefix/redis-key-prefix.ts';
import { connectNode } from '../support/app.ts';
import { freePort } from '../support/process.ts';
import { startNode } from '../support/start-node.ts';
import { testRedis } from '../support/test-redis.ts';

const node = await connectNode(await testRedis());
// CLUSTER KEYSLOT needs no slots.
const cluster = await startNode({ 'cluster-enabled': 'yes', 'cluster-port': String(await freePort()) });
const client = prefixKeys(node, 'latchkey:');

test.each(['tag', '{tag}session', 'l:{tag}limit', 'n:link', '{outbox}'])(
  'the prefix comes first, and leaves "%s" in its Cluster slot',
  async (key) => {
    await node.flushAll();
    await client.set(key, 'value');
    const [stored = ''] = await node.keys('*');
    expect(stored.startsWith('latchkey:')).toBe(true);
    const slotOf = (name: string) => cluster.client((admin) => admin.clusterKeySlot(name));
    expect(await slotOf(stored)).toBe(await slotOf(key));
  },
);

test('the keys of every command and script get the same prefix', async () => {
  await node.flushAll();
  await client.set('key', 'value');
  const script = 'return {redis.call("GET", KEYS[1]), redis.call("GET", KEYS[2])}';
  const step = { keys: ['key', 'other'], arguments: [] };
  expect(await client.eval(script, step)).toEqual(['value', null]);
  // feature: performance
  const hash = createHash('sha1').update(script).digest('hex');
  expect(await client.evalSha(hash, step)).toEqual(['value', null]);
  // end: performance
  expect(await client.get('key')).toBe('value');
  expect(await client.exists(['key', 'other'])).toBe(1);
  expect(await client.del('key')).toBe(1);
  expect(await node.keys('*')).toEqual([]);
});
