import { ErrorReply } from 'redis';
import { openCluster } from '../features/cluster/cluster.ts';
import { sentinelResolver } from '../features/sentinel/sentinel.ts';
import type { Logger } from '../log.ts';
import { checkRedisServer } from './check-server.ts';
import type { RedisClient } from './client.ts';
import { RedisUnavailable, withTimeout } from './deadline.ts';
import { asRedisClient, FailoverConnection, type PrimaryResolver } from './failover-connection.ts';
import type { NodeClient } from './node.ts';
import { readRedisUrl } from './url.ts';

export type { RedisClient } from './client.ts';
export { deadlineMs, RedisUnavailable, withDeadline } from './deadline.ts';

/** Where Redis is: a URL of any topology, or the unix socket of a private one. */
export type RedisAddress = { url: string } | { socketPath: string };

const connectDeadlineMs = 2000;

/**
 * Connects, and stays connected: a lost Redis is logged once, and so is its return. Warns of settings that would
 * lose sessions.
 * @throws {RedisUnavailable} when it can't be used within 2 s
 */
export async function connectRedis(address: RedisAddress, log: Logger): Promise<RedisClient> {
  const { client, ready, lastError, nodes } = open(address, log);
  try {
    await withTimeout(connectDeadlineMs, ready);
  } catch (error) {
    client.destroy();
    const cause = lastError();
    if (cause instanceof ErrorReply) throw new RedisUnavailable('Redis refused', { cause });
    throw new RedisUnavailable('Redis could not be reached within 2 s', { cause: cause ?? error });
  }
  await checkRedisServer(await nodes(), log);
  return client;
}

type Opened = {
  client: RedisClient;
  ready: Promise<void>;
  /** Why it is not connected yet. */
  lastError: () => unknown;
  /** One for each process that takes writes. */
  nodes: () => Promise<NodeClient[]>;
};

function open(address: RedisAddress, log: Logger): Opened {
  const topology = 'url' in address ? readRedisUrl(address.url) : undefined;
  if (topology?.kind === 'cluster') return openCluster(topology, log);
  const resolver = topology?.kind === 'sentinel' ? sentinelResolver(topology, log) : straightTo(address);
  const connection = new FailoverConnection(resolver, log);
  return {
    client: asRedisClient(connection),
    ready: connection.connect(),
    lastError: () => connection.lastError,
    nodes: async () => [connection.node],
  };
}

function straightTo(address: RedisAddress): PrimaryResolver {
  return { find: async () => ({ name: 'the only one', address }) };
}
