import type { NodeClient } from './node.ts';

/** Redis for all of Latchkey, be it one server or several: the core's commands, besides those in scripts. */
export interface RedisClient {
  get: (key: string) => Promise<string | null>;
  set: (key: string, value: string, options?: Parameters<NodeClient['set']>[2]) => Promise<string | null>;
  del: (key: string) => Promise<number>;
  eval: (script: string, options: { keys: string[]; arguments: string[] }) => Promise<unknown>;
  /** Closes the connection after the pending commands. */
  close: () => Promise<unknown>;
  /** Closes the connection immediately. */
  destroy: () => void;
  /** A client of each process that takes writes. */
  nodes: () => Promise<NodeClient[]>;
  /** Redis counts as writable when one of these keys is; each may be on another node. */
  probeKeys?: readonly string[];
  /** Why it can't be reached again, in words that name neither users nor hosts; undefined where that isn't known. */
  whyLost?: () => string | undefined;
}

/** Rejects unless Redis takes writes: a replica, and a Redis that is full or loading, refuses even one without effect. */
export async function checkWritable(redis: RedisClient, keys = redis.probeKeys ?? ['ready']): Promise<void> {
  const writes = keys.map((key) => redis.set(key, '', { condition: 'XX' }));
  await Promise.any(writes).catch(({ errors }: AggregateError) => {
    throw errors[0];
  });
}
