import { createClient } from 'redis';
import type { Credentials, HostAndPort } from './url.ts';

/** A client of one Redis process. */
export type NodeClient = ReturnType<typeof newNode>;

/** Where one Redis process listens: a URL, the unix socket of a private one, or what Sentinel said. */
export type NodeAddress =
  | { url: string }
  | { socketPath: string }
  | (HostAndPort & { credentials: Credentials; tls: boolean; database?: number });

const reconnectDelayMs = { first: 20, longest: 500 };
export const pingEveryMs = 500;

/** How every connection to a Redis process behaves, in each topology. */
export const nodeSettings = {
  // A command sent while Redis is away fails at once instead of waiting for its return (connect-redis#373).
  disableOfflineQueue: true,
  pingInterval: pingEveryMs,
};

/** The library's own timeout stops counting once a command is written, so `within` does that work. */
export const commandOptions = { timeout: 0 };

export const socketSettings = {
  connectTimeout: 2000,
  // Of a link that is dead while a connection is being made; later the pings tell.
  socketTimeout: 3000,
  reconnectStrategy: (retries: number) =>
    Math.min(reconnectDelayMs.first * 2 ** Math.min(retries, 10), reconnectDelayMs.longest),
};

export function newNode(address: NodeAddress) {
  return createClient({
    ...nodeSettings,
    commandOptions,
    ...('url' in address && { url: address.url }),
    ...('host' in address && { ...address.credentials, database: address.database ?? 0 }),
    socket: { ...socketSettings, ...placeOf(address) },
  });
}

function placeOf(address: NodeAddress) {
  if ('url' in address) return {};
  if ('socketPath' in address) return { path: address.socketPath, tls: false } as const;
  const { host, port, tls } = address;
  return tls ? ({ host, port, tls: true } as const) : { host, port };
}
