import { ErrorReply } from 'redis';
import type { Logger } from '../log.ts';
import { type RedisClient, redisClient } from './client.ts';
import { connectionStatusLogger } from './connection-status.ts';
import { RedisUnavailable, withTimeout } from './deadline.ts';
import { newNode, reconnecting } from './node.ts';
import type { SingleRedis } from './url.ts';

export type RedisOptions = {
  log: Logger;
  /** In front of every key; none is the default. */
  keyPrefix: string;
  /** The CAs that TLS connections trust; undefined for Node's own. */
  ca: string[] | undefined;
};

/** A client that is being connected. */
export type OpenedRedis = {
  client: RedisClient;
  ready: Promise<unknown>;
  /** Why it is not connected yet. */
  lastError: () => unknown;
  nodes: NonNullable<RedisClient['nodes']>;
};

const connectDeadlineMs = 2000;

/** Opens a connection to one Redis, which is opened again whenever it is lost. */
export function openSingle({ address, credentials, database, tls }: SingleRedis, options: RedisOptions): OpenedRedis {
  const node = newNode(address, { credentials, database, tls: tls ? { ca: options.ca } : undefined }, reconnecting);
  const status = connectionStatusLogger('Redis', options.log);
  let lastError: unknown;
  let wasReady = false;
  node.on('error', (error: unknown) => {
    lastError = error;
    // A ping that is answered with an error, as by a Redis that is loading, is no loss.
    if (wasReady && !node.isReady) status.lost(error);
  });
  node.on('ready', () => {
    wasReady = true;
    status.back();
  });
  const connection = { current: () => node, close: () => node.close(), destroy: () => node.destroy() };
  return {
    client: redisClient(connection, options.keyPrefix),
    ready: node.connect(),
    lastError: () => lastError,
    nodes: async () => [node],
  };
}

/**
 * Waits until Redis is connected. From then on the client stays connected by itself; a loss is logged once, and so is
 * the return.
 * @throws {RedisUnavailable} when it can't be reached within 2 s
 */
export async function connected({ client, ready, lastError }: OpenedRedis): Promise<void> {
  try {
    await withTimeout(connectDeadlineMs, ready);
  } catch (error) {
    client.destroy();
    const cause = lastError();
    if (cause instanceof ErrorReply) throw new RedisUnavailable('Redis refused', { cause });
    throw new RedisUnavailable('Redis could not be reached within 2 s', { cause: cause ?? error });
  }
}
