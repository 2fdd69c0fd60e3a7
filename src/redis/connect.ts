import { ErrorReply } from 'redis';
import type { Logger } from '../log.ts';
import { checkRedisServer } from './check-server.ts';
import type { RedisClient } from './client.ts';
import { RedisUnavailable, withTimeout } from './deadline.ts';
import { openConnection } from './failover-connection.ts';
import type { NodeClient } from './node.ts';
import type { RedisPermissions } from './permissions.ts';
import type { SingleRedis } from './url.ts';

export type { RedisClient } from './client.ts';
export { deadlineMs, RedisUnavailable, withDeadline } from './deadline.ts';

export type RedisOptions = {
  log: Logger;
  /** In front of every key; none is the default. */
  keyPrefix: string;
  /** The CAs that TLS connections trust; undefined for Node's own. */
  ca: string[] | undefined;
  /** What the Redis user must be allowed to do. */
  permissions: readonly RedisPermissions[];
};

/** A client that is being connected. */
export type OpenedRedis = RedisOptions & {
  client: RedisClient;
  ready: Promise<void>;
  /** Why it is not connected yet. */
  lastError: () => unknown;
  /** One for each process that takes writes. */
  nodes: () => Promise<NodeClient[]>;
};

const connectDeadlineMs = 2000;

/** Opens a connection to one Redis. */
export function openSingle({ address, credentials, database, tls }: SingleRedis, options: RedisOptions): OpenedRedis {
  const node = { credentials, database, tls: tls ? { ca: options.ca } : undefined };
  return openConnection({ find: async () => address }, node, options);
}

/**
 * Waits until Redis is connected, and refuses one that can't serve. From then on the client stays connected by
 * itself; a loss is logged once, and so is the return.
 * @throws {RedisUnavailable} when it can't be used within 2 s
 * @throws {ConfigError} when it is too old, or its user lacks permissions
 */
export async function connectRedis(opened: OpenedRedis): Promise<RedisClient> {
  const { client, ready, lastError, nodes } = opened;
  try {
    await withTimeout(connectDeadlineMs, ready);
  } catch (error) {
    client.destroy();
    const cause = lastError();
    if (cause instanceof ErrorReply) throw new RedisUnavailable('Redis refused', { cause });
    throw new RedisUnavailable('Redis could not be reached within 2 s', { cause: cause ?? error });
  }
  try {
    await checkRedisServer({ ...opened, nodes: await nodes() });
  } catch (error) {
    client.destroy();
    throw error;
  }
  return client;
}
