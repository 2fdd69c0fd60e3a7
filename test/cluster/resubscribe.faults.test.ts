import { expect, test } from 'vitest';
import { newCluster } from '../../src/features/cluster/cluster.ts';
import { clusterUrl } from '../../src/features/cluster/url.ts';
import { startCluster } from './start-cluster.ts';

const { url } = await startCluster();

// The library subscribes anew when slots have moved, which fails if their new node is away.
test('a subscription that the library fails to make anew does not end the process', async () => {
  const unhandled: unknown[] = [];
  process.on('unhandledRejection', (error) => unhandled.push(error));
  const target = clusterUrl.read(url);
  if (!target) throw new Error(`${url} names no Cluster`);
  const client = newCluster(target, undefined);
  client.on('error', () => {});
  await client.connect();
  client.destroy();
  const lost = new Map([['{x}ended', { buffers: new Set(), strings: new Set([() => {}]) }]]);
  client.emit('__resubscribeListeners', { CHANNELS: lost, SHARDED: lost });
  for (const name of ['subscribe', 'sSubscribe'] as const) {
    await expect(client[name]('{x}ended', () => {})).rejects.toThrow();
  }
  await new Promise(setImmediate);
  expect(unhandled).toEqual([]);
});
