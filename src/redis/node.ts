import { RedisClient, type RedisClientOptions } from 'redis';
import type { Credentials, HostAndPort } from './url.ts';

type None = Record<never, never>;
/** A client of one Redis process, without the commands of Redis's modules. */
export type NodeClient = ReturnType<typeof RedisClient.create<None, None, None, 3, None>>;

/** Where one Redis process listens. */
export type NodeAddress = HostAndPort | { socketPath: string };

export type NodeOptions = {
  credentials?: Credentials | undefined;
  database?: number | undefined;
  /** Undefined for a connection without TLS; `ca` replaces Node's own, `servername` is for an address without a name. */
  tls?: { ca?: string[] | undefined; servername?: string } | undefined;
};

/** How every connection to a Redis process behaves. */
export const nodeSettings = {
  // Otherwise a sign-in that was refused with 503 would be carried out once Redis is back (connect-redis#373).
  disableOfflineQueue: true,
  name: 'latchkey', // Goes along with HELLO, which needs no permission; CLIENT SETINFO would.
  disableClientInfo: true,
  maintNotifications: 'disabled', // Would resolve the host name once more, for a feature of Redis Enterprise.
  // The library's own timeout stops counting once a command is written; `withDeadline` takes its place.
  commandOptions: { timeout: 0 },
} as const;

/** Options for connections that the library itself keeps alive. */
export const reconnecting = {
  pingInterval: 500,
  socket: {
    connectTimeout: 2000,
    // For a link that dies during the handshake; afterwards the pings notice.
    socketTimeout: 3000,
    reconnectStrategy: (retries: number) => Math.min(20 * 2 ** Math.min(retries, 10), 500),
  },
};

/** Makes clients of one class. The library's own `create()` builds one of 500 commands for each address: 48 ms, 150 kB. */
export const createNode: (options?: RedisClientOptions) => NodeClient = RedisClient.factory();

/** A client that is not connected yet. `connection` says whether it connects again when it is lost, or ends. */
export function newNode(
  address: NodeAddress,
  { credentials, database = 0, tls }: NodeOptions,
  connection: typeof reconnecting | { socket: { reconnectStrategy: false } },
): NodeClient {
  const socket =
    'socketPath' in address
      ? ({ path: address.socketPath, tls: false } as const)
      : tls
        ? ({ ...address, ...tls, tls: true } as const)
        : address;
  return createNode({
    ...nodeSettings,
    ...connection,
    ...credentials,
    database,
    socket: { ...connection.socket, ...socket },
  });
}
