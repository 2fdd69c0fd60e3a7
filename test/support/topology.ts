import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, vi } from 'vitest';
import { findRedis } from '../../src/dev/private-redis.ts';
import { withDeadline } from '../../src/redis/connect.ts';
import { freePort, newDirectory } from './process.ts';
import { type RedisServer, startRedisServer } from './redis-server.ts';

const run = promisify(execFile);
const password = 'of-the-operator';
const sentinelPassword = 'of-the-sentinels';
const primaryName = 'mymaster';
const readyWithinMs = 20_000;
const askDeadlineMs = 500;
const replicated = {
  appendonly: 'yes',
  masterauth: password,
  'repl-diskless-sync-delay': '0',
};

// A primary that has no replica confirms nothing: it could neither keep nor hand over what it was told.
const watchedSettings = { ...replicated, 'min-replicas-to-write': '1', 'min-replicas-max-lag': '10' };

export type Watched = {
  url: string;
  nodes: RedisServer[];
  sentinels: RedisServer[];
  /** The node that says of itself that it is the primary; one that came back may do so as well. */
  primary: (exceptFor?: RedisServer) => Promise<RedisServer>;
  isReplicated: (node: RedisServer) => Promise<void>;
};

/** A primary with two replicas, watched by three Sentinels that miss it after half a second. */
export async function startWatched(): Promise<Watched> {
  const first = await startNode(watchedSettings);
  const replicaOf = { ...watchedSettings, replicaof: `127.0.0.1 ${first.port}` };
  const nodes = [first, ...(await Promise.all([replicaOf, replicaOf].map(startNode)))];
  const sentinels = await Promise.all([1, 2, 3].map(() => startSentinel(first.port)));
  for (const sentinel of sentinels) {
    await vi.waitFor(async () => {
      const state = await sentinel.client((client) =>
        client.sendCommand<Record<string, string>>(['SENTINEL', 'MASTER', primaryName]),
      );
      expect(state).toMatchObject({ 'num-slaves': '2', 'num-other-sentinels': '2', flags: 'master' });
    }, readyWithinMs);
  }
  await Promise.all(nodes.map(isReplicated));
  return {
    url: sentinelUrl(sentinels),
    primary: (exceptFor) => primaryAmong(nodes.filter((node) => node !== exceptFor)),
    ...{ nodes, sentinels, isReplicated },
  };
}

/** What an operator writes who wants the primary that these know. */
export function sentinelUrl(sentinels: RedisServer[], name = primaryName): string {
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
  return `redis+sentinel://:${password}@${hosts}/${name}?sentinel_password=${sentinelPassword}`;
}

export function startSentinel(primaryPort: number, name = primaryName): Promise<RedisServer> {
  const configFile = join(newDirectory('sentinel-'), 'sentinel.conf');
  const settings = [
    `monitor ${name} 127.0.0.1 ${primaryPort} 2`,
    `auth-pass ${name} ${password}`,
    `down-after-milliseconds ${name} 500`,
    `failover-timeout ${name} 3000`,
    `sentinel-pass ${sentinelPassword}`,
  ];
  writeFileSync(configFile, settings.map((setting) => `sentinel ${setting}\n`).join(''));
  return startRedisServer(sentinelPassword, ['--sentinel'], configFile);
}

/** Waits until what this node holds is held twice. */
function isReplicated(node: RedisServer): Promise<void> {
  return vi.waitFor(async () => {
    const info = await node.client((client) => client.info('replication'));
    expect(info).toMatch(/state=online|master_link_status:up/);
  }, readyWithinMs);
}

async function primaryAmong(nodes: RedisServer[]): Promise<RedisServer> {
  const ask = (node: RedisServer) =>
    withDeadline(
      askDeadlineMs,
      node.client((client) => client.role()),
    );
  const asked = await Promise.allSettled(nodes.map(ask));
  const primary = nodes.find((_, index) => {
    const answer = asked[index];
    return answer?.status === 'fulfilled' && answer.value?.role === 'master';
  });
  if (!primary) throw new Error('there is no primary');
  return primary;
}

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

/** Three primaries, each with a replica, that miss each other after a second. */
export async function startCluster(): Promise<Cluster> {
  const nodes = await Promise.all([1, 2, 3, 4, 5, 6].map(startClusterNode));
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

async function startClusterNode(): Promise<RedisServer> {
  return startNode({
    ...replicated,
    'cluster-enabled': 'yes',
    // By default the port plus 10,000, which may be above the highest.
    'cluster-port': String(await freePort()),
    'cluster-node-timeout': '1000',
  });
}

function startNode(settings: Record<string, string>): Promise<RedisServer> {
  return startRedisServer(
    password,
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
  );
}
