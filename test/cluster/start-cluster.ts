import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, vi } from 'vitest';
import { findRedis } from '../../src/dev/private-redis.ts';
import { withDeadline } from '../../src/redis/deadline.ts';
import { freePort } from '../support/process.ts';
import { password } from '../support/redis-password.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { isReplicated, readyWithinMs, replicated } from '../support/replication.ts';
import { startNode } from '../support/start-node.ts';

const askDeadlineMs = 500;

const run = promisify(execFile);

export type Cluster = {
  url: string;
  nodes: RedisServer[];
  /** The primary that has this key's slot, as the first node that answers says. */
  ownerOf: (key: string) => Promise<RedisServer>;
  /** The primaries that have not. */
  ownersBut: (key: string) => Promise<RedisServer[]>;
  /** Moves the slot of a key from its owner to another; `halfway` happens when the key itself has gone. */
  moveSlotOf: (key: string, to: RedisServer, halfway?: () => Promise<void>) => Promise<void>;
};

/** Three primaries, each with a replica, that miss each other after a second, or after `nodeTimeoutMs`. */
export async function startCluster(nodeTimeoutMs = 1000): Promise<Cluster> {
  const nodes = await Promise.all([1, 2, 3, 4, 5, 6].map(() => startClusterNode(nodeTimeoutMs)));
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  const redisCli = findRedis().replace(/-server$/, '-cli');
  const create = ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes'];
  await run(redisCli, create, { env: { ...process.env, REDISCLI_AUTH: password } });
  for (const node of nodes) {
    await vi.waitFor(async () => {
      expect(await node.client((client) => client.clusterInfo())).toContain('cluster_state:ok');
    }, readyWithinMs);
  }
  await Promise.all(nodes.map(isReplicated));

  async function primaries() {
    const shards = await anyAnswer((client) => client.clusterSlots());
    return shards.flatMap(({ from, to, master }) => {
      const node = nodes.find(({ port }) => port === master.port);
      return node ? [{ from, to, node }] : [];
    });
  }
  async function ownerOf(key: string): Promise<RedisServer> {
    const slot = await slotOf(key);
    const owner = (await primaries()).find(({ from, to }) => from <= slot && slot <= to);
    if (!owner) throw new Error(`nobody has slot ${slot}`);
    return owner.node;
  }
  async function ownersBut(key: string): Promise<RedisServer[]> {
    const owner = await ownerOf(key);
    const all = (await primaries()).map(({ node }) => node);
    return [...new Set(all)].filter((node) => node !== owner);
  }

  const anyAnswer: RedisServer['client'] = async (ask) => {
    for (const node of nodes) {
      const answer = await withDeadline(askDeadlineMs, node.client(ask)).catch(() => undefined);
      if (answer !== undefined) return answer;
    }
    throw new Error('no node answers');
  };
  const slotOf = (key: string) => anyAnswer((client) => client.clusterKeySlot(key));
  const idOf = (node: RedisServer) => node.client((client) => client.clusterMyId());

  async function moveSlotOf(key: string, to: RedisServer, halfway = async () => {}): Promise<void> {
    const [slot, from] = await Promise.all([slotOf(key), ownerOf(key)]);
    const [fromId, toId] = await Promise.all([idOf(from), idOf(to)]);
    const setSlot = (node: RedisServer, ...words: string[]) =>
      node.client((client) => client.sendCommand(['CLUSTER', 'SETSLOT', String(slot), ...words]));
    const migrate = (keys: string[]) =>
      from.client((client) => client.migrate('127.0.0.1', to.port, keys, 0, 5000, { AUTH: { password } }));
    await setSlot(to, 'IMPORTING', fromId);
    await setSlot(from, 'MIGRATING', toId);
    const remaining = (most: number) => from.client((client) => client.clusterGetKeysInSlot(slot, most));
    await migrate([key]);
    await halfway();
    for (;;) {
      const keys = await remaining(100);
      if (keys.length === 0) break;
      await migrate(keys);
    }
    await setSlot(to, 'NODE', toId);
    await setSlot(from, 'NODE', toId);
  }

  return { url: `redis+cluster://:${password}@${addresses.join(',')}`, nodes, ownerOf, ownersBut, moveSlotOf };
}

async function startClusterNode(timeoutMs: number): Promise<RedisServer> {
  return startNode({
    ...replicated,
    'cluster-enabled': 'yes',
    // By default the port plus 10,000, which may be above the highest.
    'cluster-port': String(await freePort()),
    'cluster-node-timeout': String(timeoutMs),
  });
}
