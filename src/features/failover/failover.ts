import type { OpenedRedis, RedisOptions } from '../../redis/connect.ts';
import type { NodeOptions } from '../../redis/node.ts';
import type { SingleRedis } from '../../redis/url.ts';
import { redisClient } from '../../shared/redis-client.ts';
import { lostText } from '../../shared/redis-failures.ts';
import { FailoverConnection, type PrimaryResolver } from './failover-connection.ts';

/** Opens a client of one Redis that follows the primary behind its address. */
export function openWithFailover(target: SingleRedis, options: RedisOptions): OpenedRedis {
  const { address, credentials, database } = target;
  const tls = target.tls ? { ca: options.ca } : undefined;
  return openPrimary({ find: async () => address }, { credentials, database, tls }, options);
}

/** Opens a client that stays connected to the primary which the resolver names. */
export function openPrimary(resolver: PrimaryResolver, node: NodeOptions, options: RedisOptions): OpenedRedis {
  const connection = new FailoverConnection(resolver, node, options.log);
  const client = redisClient({
    current: () => connection.node,
    nodes: async () => [connection.node],
    whyLost: () => lostText(connection.refusal),
    onConnect: (listener) => void connection.connectListeners.push(listener),
    close: () => connection.close(),
    destroy: () => connection.destroy(),
  });
  return { client, ready: connection.connect(), lastError: () => connection.lastError };
}
