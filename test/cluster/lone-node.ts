import { expect } from 'vitest';
import { freePort } from '../support/process.ts';
import type { RedisServer } from '../support/redis-server.ts';

/** Options for a Cluster of one node. A node learns its own address from others, so it has to be told. */
export async function loneNode(): Promise<string[]> {
  const options = ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())];
  return [...options, '--cluster-announce-ip', '127.0.0.1'];
}

export async function takeAllSlots<Node extends RedisServer>(node: Node): Promise<Node> {
  await node.client((admin) => admin.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '0', '16383']));
  await expect.poll(() => node.client((admin) => admin.clusterInfo()), { timeout: 8000 }).toContain('cluster_state:ok');
  return node;
}
