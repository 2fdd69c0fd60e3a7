import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type TcpTarget = { path: string } | { host: string; port: number };

export type TcpProxy = {
  port: number;
  /** How many connections it has accepted so far. */
  accepted: () => number;
  /** How many are open through it. */
  connections: () => number;
  /** Waits this long before it hands on what the target answered. */
  delayMs: number;
  /** Keeps what arrives from either side, until it is released. */
  hold: () => void;
  release: () => void;
  /**
   * Loses what arrives from either side, as a dead link does; connections stay, and new ones are accepted. What was
   * connected meanwhile stays dead after the release: half a stream of bytes is nothing that TCP would ever deliver.
   */
  blackHole: () => void;
  /** Breaks the connection in the middle of the next answer. */
  cutAnswer: () => void;
  /** Breaks the connections that are open. */
  reset: () => void;
  close: () => Promise<void>;
};

/** A link to a server that can be made slow, stuck, dead or broken. */
export async function startTcpProxy(target: TcpTarget): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let state: 'open' | 'held' | 'lost' = 'open';
  let held: (() => void)[] = [];
  let cutsAnswer = false;
  const dead = new WeakSet<Socket>();

  function hand(bytes: Buffer, to: Socket): void {
    if (dead.has(to) || to.destroyed) return;
    if (state === 'held') held.push(() => to.write(bytes));
    else to.write(bytes);
  }

  let accepted = 0;
  const server = createServer({ noDelay: true }, (near) => {
    accepted += 1;
    const far = connect({ ...target, noDelay: true });
    near.on('data', (bytes) => hand(bytes, far));
    let late = 0;
    let lastHandedOn = Promise.resolve();
    far.on('data', (bytes) => {
      if (cutsAnswer) {
        cutsAnswer = false;
        near.write(bytes.subarray(0, bytes.length / 2), () => near.resetAndDestroy());
      } else if (proxy.delayMs === 0 && late === 0) hand(bytes, near);
      else {
        // None overtakes another when the delay ends.
        late += 1;
        const delayed = sleep(proxy.delayMs);
        lastHandedOn = lastHandedOn
          .then(() => delayed)
          .then(() => {
            late -= 1;
            hand(bytes, near);
          });
      }
    });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      if (state === 'lost') dead.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });

  const proxy: TcpProxy = {
    port: 0,
    accepted: () => accepted,
    connections: () => sockets.size / 2,
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
      for (const socket of sockets) dead.add(socket);
    },
    cutAnswer: () => {
      cutsAnswer = true;
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
