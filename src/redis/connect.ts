import { ErrorReply } from 'redis';
import type { Logger } from '../log.ts';
import { checkRedisServer } from './check-server.ts';
import type { RedisClient } from './client.ts';
import { RedisUnavailable, withTimeout } from './deadline.ts';
import { openConnection } from './failover-connection.ts';
import type { NodeClient } from './node.ts';
import type { SingleRedis } from './url.ts';

export type { RedisClient } from './client.ts';
export { deadlineMs, isWrongType, RedisUnavailable, withDeadline } from './deadline.ts';

/** A client that is being connected. */
export type OpenedRedis = {
  client: RedisClient;
  ready: Promise<void>;
  /** Why it is not connected yet. */
  lastError: () => unknown;
  /** One for each process that takes writes. */
  nodes: () => Promise<NodeClient[]>;
};

const connectDeadlineMs = 2000;

/** Opens a connection to one Redis. */
export function openSingle({ address }: SingleRedis, log: Logger): OpenedRedis {
  return openConnection({ find: async () => ({ name: 'the only one', address }) }, log);
}

/**
 * Waits until Redis is connected, and warns of settings that would lose sessions. From then on the client stays
 * connected by itself: a lost Redis is logged once, and so is its return.
 * @throws {RedisUnavailable} when it can't be used within 2 s
 */
export async function connectRedis(
  { client, ready, lastError, nodes }: OpenedRedis,
  log: Logger,
): Promise<RedisClient> {
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
