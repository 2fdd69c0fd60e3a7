import type { RedisClient } from '../../redis/client.ts';
import { prefixedKey } from '../../shared/prefixed-key.ts';
import type {} from '../../shared/redis-client.ts';

/**
 * The one place where keys get their prefix, such as `latchkey:`: whatever key a command is called with here, Redis sees
 * it prefixed. Scripts derive further keys only by appending to those that they are given.
 */
export function prefixKeys(client: RedisClient, keyPrefix: string): RedisClient {
  if (keyPrefix === '') return client;
  const prefixed = (key: string) => prefixedKey(keyPrefix, key);
  const { nodes, probeKeys, whyLost, onConnect, sharded } = client;
  return {
    keyPrefix,
    get: (key) => client.get(prefixed(key)),
    set: (key, value, options) => client.set(prefixed(key), value, options),
    del: (key) => client.del(prefixed(key)),
    exists: (keys) => client.exists(keys.map(prefixed)),
    eval: (script, options) => client.eval(script, { ...options, keys: options.keys.map(prefixed) }),
    // feature: performance
    evalSha: (hash, options) => client.evalSha(hash, { ...options, keys: options.keys.map(prefixed) }),
    // end: performance
    time: () => client.time(),
    subscribe: (channel, listener) => client.subscribe(keyPrefix + channel, listener),
    on: (event, listener) => client.on(event, listener),
    close: () => client.close(),
    destroy: () => client.destroy(),
    nodes,
    ...(probeKeys && { probeKeys }),
    ...(whyLost && { whyLost }),
    ...(onConnect && { onConnect }),
    ...(sharded && {
      sharded: {
        subscribe: (channel, listener) => sharded.subscribe(keyPrefix + channel, listener),
        unsubscribe: (channel) => sharded.unsubscribe(keyPrefix + channel),
      },
    }),
  };
}
