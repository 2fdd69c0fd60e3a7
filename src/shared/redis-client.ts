import type { RedisClient } from '../redis/client.ts';

declare module '../redis/client.ts' {
  interface RedisClient {
    /** What goes in front of every key and channel; undefined for nothing. */
    keyPrefix?: string;
    /** How many of these keys exist. On a Cluster, all of them must be in one slot. */
    exists: (keys: string[]) => Promise<number>;
    // feature: performance
    /** Runs the script that has this SHA-1; rejects with NOSCRIPT if Redis doesn't have its text. */
    evalSha: RedisClient['eval'];
    // end: performance
    time: () => Promise<string[]>;
    subscribe: (channel: string, listener: (message: string) => void) => Promise<unknown>;
    /** `ready`: connected again; for one node of a Cluster, `node-ready`. */
    on: (event: 'ready' | 'node-ready', listener: () => void) => unknown;
    /** Calls the listener whenever a new connection replaces another, before its first command. */
    onConnect?: (listener: () => void) => void;
    /** Pub/sub on the node that has the slot of the channel, in a Cluster. */
    sharded?: { subscribe: RedisClient['subscribe']; unsubscribe: (channel: string) => Promise<unknown> };
  }
}

/** The members that are not commands. */
type Connection = Pick<
  RedisClient,
  'keyPrefix' | 'nodes' | 'probeKeys' | 'whyLost' | 'onConnect' | 'sharded' | 'close' | 'destroy'
>;
type Commands = Omit<RedisClient, keyof Connection>;

/** Where commands go; `current` is asked anew for each of them. */
type RedisConnection = Connection & { current: () => Commands };

/** A client that sends each command over the connection that is current then. @public for features */
export function redisClient({ current, ...connection }: RedisConnection): RedisClient {
  return {
    get: (key) => current().get(key),
    set: (key, value, options) => current().set(key, value, options),
    del: (key) => current().del(key),
    exists: (keys) => current().exists(keys),
    eval: (script, options) => current().eval(script, options),
    evalSha: (hash, options) => current().evalSha(hash, options), // feature: performance
    time: () => current().time(),
    subscribe: (channel, listener) => current().subscribe(channel, listener),
    on: (event, listener) => current().on(event, listener),
    ...connection,
  };
}
