import { type RedisServer, startRedisServer } from './redis-server.ts';

/** The password of every node. */
export const password = 'of-the-operator';

/** Starts a Redis with these settings. */
export function startNode(settings: Record<string, string>): Promise<RedisServer> {
  return startRedisServer(
    password,
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
  );
}
