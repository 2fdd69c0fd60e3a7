import type { Load } from './load.ts';
import type { RedisServer } from './redis-server.ts';
import type { TcpProxy } from './tcp-proxy.ts';

export type FaultParts = { redis: RedisServer; link: TcpProxy; load: Load };

/** Something that goes wrong with Redis, or on the way to it. */
export type RedisFault = {
  name: string;
  redisArgs?: string[];
  begin: (parts: FaultParts) => unknown;
  lastsMs?: number;
  end?: (parts: FaultParts) => unknown;
  /** Slows visitors down, but refuses none. */
  harmless?: true;
  /** It may hit between two requests, and be over before the next one. */
  mayMissRequests?: true;
  /** How often the connection breaks. */
  losses?: number;
  /** What a crash may cost, by Redis's own rules. */
  mayLoseMs?: number;
};
