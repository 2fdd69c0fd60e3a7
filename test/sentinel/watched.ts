import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { withDeadline } from '../../src/redis/deadline.ts';
import { afterwards } from '../support/afterwards.ts';
import { newDirectory } from '../support/process.ts';
import { password } from '../support/redis-password.ts';
import { type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { isReplicated, readyWithinMs, replicated } from '../support/replication.ts';
import { startNode } from '../support/start-node.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const askDeadlineMs = 500;

const sentinelPassword = 'of-the-sentinels';
const primaryName = 'mymaster';

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
export function sentinelUrl(sentinels: { port: number }[], name = primaryName): string {
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
  return `redis+sentinel://:${password}@${hosts}/${name}?sentinel_password=${sentinelPassword}`;
}

/** @param epoch how many failovers there have been so far */
export function startSentinel(primaryPort: number, name = primaryName, epoch = 0): Promise<RedisServer> {
  const configFile = join(newDirectory('sentinel-'), 'sentinel.conf');
  const settings = [
    `monitor ${name} 127.0.0.1 ${primaryPort} 2`,
    `auth-pass ${name} ${password}`,
    `down-after-milliseconds ${name} 500`,
    `failover-timeout ${name} 3000`,
    `config-epoch ${name} ${epoch}`,
    `sentinel-pass ${sentinelPassword}`,
  ];
  writeFileSync(configFile, settings.map((setting) => `sentinel ${setting}\n`).join(''));
  return startRedisServer(sentinelPassword, ['--sentinel'], configFile);
}

/** A Sentinel behind a link that counts how often it is asked where the primary is. */
export async function startCounted(primaryPort: number, name: string) {
  const { client, port } = await startSentinel(primaryPort, name);
  const link = await startTcpProxy({ host: '127.0.0.1', port });
  afterwards(link.close);
  const counted = { client, link, port: link.port, timesAsked: 0 };
  link.onRequest = (bytes) => {
    if (bytes.includes('GET-MASTER-ADDR-BY-NAME')) counted.timesAsked += 1;
  };
  return counted;
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
