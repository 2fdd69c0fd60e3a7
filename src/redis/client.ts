import type { NodeClient } from './node.ts';

/** The commands that Latchkey uses, besides those in its scripts. */
type Commands = {
  get: (key: string) => Promise<string | null>;
  set: (key: string, value: string, options?: Parameters<NodeClient['set']>[2]) => Promise<string | null>;
  del: (key: string) => Promise<number>;
  eval: (script: string, options: { keys: string[]; arguments: string[] }) => Promise<unknown>;
  time: () => Promise<string[]>;
  subscribe: (channel: string, listener: (message: string) => void) => Promise<unknown>;
  /** `ready`: connected again; for one node of a Cluster, `node-ready`. */
  on: (event: 'ready' | 'node-ready', listener: () => void) => unknown;
};

/** Redis for all of Latchkey, be it a single one, one watched by Sentinels, or a Cluster. */
export type RedisClient = Commands & {
  /** Redis counts as writable when one of these keys is; each may be on another node. */
  probeKeys?: readonly string[];
  /** Calls the listener whenever a new connection replaces another, before its first command. */
  onConnect?: (listener: () => void) => void;
  /** Pub/sub on the node that has the slot of the channel, in a Cluster. */
  sharded?: { subscribe: Commands['subscribe']; unsubscribe: (channel: string) => Promise<unknown> };
  /** A client of each process that takes writes. */
  nodes?: () => Promise<NodeClient[]>;
  /** Closes the connection after the pending commands. */
  close: () => Promise<unknown>;
  /** Closes the connection immediately. */
  destroy: () => void;
};

/** Where commands go; `current` is asked anew for each of them. */
type RedisConnection = Omit<RedisClient, keyof Commands> & { current: () => Commands };

/**
 * The one place where keys get their prefix, such as `latchkey:`. Scripts derive further keys only by appending to those
 * that they are given.
 */
export function redisClient({ current, ...connection }: RedisConnection, keyPrefix: string): RedisClient {
  const prefixed = (key: string) => prefixedKey(keyPrefix, key);
  return {
    get: (key) => current().get(prefixed(key)),
    set: (key, value, options) => current().set(prefixed(key), value, options),
    del: (key) => current().del(prefixed(key)),
    eval: (script, options) => current().eval(script, { ...options, keys: options.keys.map(prefixed) }),
    time: () => current().time(),
    subscribe: (channel, listener) => current().subscribe(keyPrefix + channel, listener),
    on: (event, listener) => current().on(event, listener),
    ...connection,
  };
}

/** Rejects unless Redis takes writes: a replica, or one that is full or loading, refuses even one without an effect. */
export async function checkWritable(redis: RedisClient): Promise<void> {
  const writes = (redis.probeKeys ?? ['ready']).map((key) => redis.set(key, '', { condition: 'XX' }));
  await Promise.any(writes).catch(({ errors }: AggregateError) => {
    throw errors[0];
  });
}

// A key without braces becomes a hash tag as a whole. So the prefix never changes a key's Cluster slot, and keys that
// belong together stay together.
function prefixedKey(prefix: string, key: string): string {
  if (prefix === '') return key;
  return /\{[^}]+\}/.test(key) ? prefix + key : `${prefix}{${key}}`;
}
