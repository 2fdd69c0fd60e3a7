import { ErrorReply } from 'redis';
import type { Logger } from '../log.ts';
import type { RedisClient } from './client.ts';
import { RedisUnavailable, withTimeout } from './deadline.ts';
import { newNode, reconnecting } from './node.ts';
import type { SingleRedis } from './url.ts';

export type RedisOptions = {
  log: Logger;
  /** The CAs that TLS connections trust; undefined for Node's own. */
  ca?: string[] | undefined;
};

/** A client that is being connected. */
export type OpenedRedis = {
  client: RedisClient;
  ready: Promise<unknown>;
  /** Why it is not connected yet. */
  lastError: () => unknown;
};

const connectDeadlineMs = 2000;

/** Opens a connection to one Redis, which is opened again whenever it is lost. Logs a loss once, and the return. */
export function openSingle(
  { address, credentials, database, tls }: SingleRedis,
  { log, ca }: RedisOptions,
): OpenedRedis {
  const node = newNode(address, { credentials, database, tls: tls ? { ca } : undefined }, reconnecting);
  let state: 'connecting' | 'ready' | 'lost' = 'connecting';
  let lastError: unknown;
  node.on('error', (err: unknown) => {
    lastError = err;
    // A ping that is answered with an error, as by a Redis that is loading, is no loss.
    if (state !== 'ready' || node.isReady) return;
    state = 'lost';
    log.error({ err }, 'Redis lost');
  });
  node.on('ready', () => {
    if (state === 'lost') log.info('Redis back');
    state = 'ready';
  });
  const client = Object.assign(node, { nodes: async () => [node] });
  return { client, ready: node.connect(), lastError: () => lastError };
}

/**
 * Waits until Redis is connected. From then on the client stays connected by itself.
 * @throws {RedisUnavailable} when it refuses, or can't be reached within 2 s
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
