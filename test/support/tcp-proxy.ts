import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type TcpTarget = { path: string } | { host: string; port: number };

export type TcpProxy = {
  port: number;
  /** Waits this long before it hands on what the target answered. */
  delayMs: number;
  /** Keeps what arrives from either side, until it is released. */
  hold: () => void;
  release: () => void;
  /** Loses what arrives from either side, as a dead link does; connections stay, and new ones are accepted. */
  blackHole: () => void;
  /** Breaks the connections that are open. */
  reset: () => void;
  close: () => Promise<void>;
};

/** A link to a server that can be made slow, stuck, dead or broken. */
export async function startTcpProxy(target: TcpTarget): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let state: 'open' | 'held' | 'lost' = 'open';
  let held: (() => void)[] = [];

  function hand(bytes: Buffer, to: Socket): void {
    if (state === 'lost' || to.destroyed) return;
    if (state === 'held') held.push(() => to.write(bytes));
    else to.write(bytes);
  }

  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ ...target, noDelay: true });
    near.on('data', (bytes) => hand(bytes, far));
    far.on('data', (bytes) => {
      if (proxy.delayMs === 0) hand(bytes, near);
      else setTimeout(() => hand(bytes, near), proxy.delayMs);
    });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });

  const proxy: TcpProxy = {
    port: 0,
    delayMs: 0,
    hold: () => {
      state = 'held';
    },
    release: () => {
      state = 'open';
      for (const write of held.splice(0)) write();
    },
    blackHole: () => {
      state = 'lost';
      held = [];
    },
    reset: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy.port = (server.address() as AddressInfo).port;
  return proxy;
}
