import { password } from './redis-password.ts';
import { type RedisServer, startRedisServer } from './redis-server.ts';

/** Starts a Redis with these settings. */
export function startNode(settings: Record<string, string>): Promise<RedisServer> {
  return startRedisServer(
    password,
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
  );
}
