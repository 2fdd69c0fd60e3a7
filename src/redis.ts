import { ErrorReply } from 'redis';
import type { Logger } from './log.ts';
import type { RedisClient } from './redis/client.ts';
import { openCluster } from './redis/cluster.ts';
import { limited, RedisUnavailable } from './redis/deadline.ts';
import { asRedisClient, Follower, type Guide } from './redis/follower.ts';
import type { NodeClient } from './redis/node.ts';
import { sentinelGuide } from './redis/sentinel.ts';
import { warnOfSettings } from './redis/settings.ts';
import { readRedisUrl } from './redis/url.ts';

export type { RedisClient } from './redis/client.ts';
export { deadlineMs, RedisUnavailable, within } from './redis/deadline.ts';

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
    await limited(connectDeadlineMs, ready);
  } catch (error) {
    client.destroy();
    const cause = lastError();
    if (cause instanceof ErrorReply) throw new RedisUnavailable('Redis refused', { cause });
    throw new RedisUnavailable('Redis could not be reached within 2 s', { cause: cause ?? error });
  }
  await warnOfSettings(await nodes(), log);
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
  const guide = topology?.kind === 'sentinel' ? sentinelGuide(topology, log) : straightTo(address);
  const follower = new Follower(guide, log);
  return {
    client: asRedisClient(follower),
    ready: follower.connect(),
    lastError: () => follower.lastError,
    nodes: async () => [follower.node],
  };
}

function straightTo(address: RedisAddress): Guide {
  return { find: async () => ({ name: 'the only one', address }) };
}
