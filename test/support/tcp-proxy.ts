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
  /** Called with what the client sends. */
  onRequest: (bytes: Buffer) => void;
  /** Keeps what arrives from either side, until it is released. */
  hold: () => void;
  /** Keeps what the target answers alone. */
  holdAnswers: () => void;
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
  let state: 'open' | 'held' | 'answers held' | 'lost' = 'open';
  let held: (() => void)[] = [];
  let cutsAnswer = false;
  const dead = new WeakSet<Socket>();

  function hand(what: Buffer | 'end', to: Socket, { isAnswer }: { isAnswer: boolean }): void {
    if (dead.has(to) || to.destroyed) return;
    const pass = () => (what === 'end' ? to.destroySoon() : to.write(what));
    if (state === 'held' || (state === 'answers held' && isAnswer)) held.push(pass);
    else pass();
  }

  let accepted = 0;
  const server = createServer({ noDelay: true }, (near) => {
    accepted += 1;
    const far = connect({ ...target, noDelay: true });
    near.on('data', (bytes) => {
      proxy.onRequest(bytes);
      hand(bytes, far, { isAnswer: false });
    });
    let late = 0;
    let lastHandedOn = Promise.resolve();
    /** None overtakes another when the delay ends, and the end of a connection overtakes nothing. */
    const handBack = (what: Buffer | 'end') => {
      if (proxy.delayMs === 0 && late === 0) return hand(what, near, { isAnswer: true });
      late += 1;
      const delayed = sleep(proxy.delayMs);
      lastHandedOn = lastHandedOn
        .then(() => delayed)
        .then(() => {
          late -= 1;
          hand(what, near, { isAnswer: true });
        });
    };
    far.on('data', (bytes) => {
      if (!cutsAnswer) return handBack(bytes);
      cutsAnswer = false;
      near.write(bytes.subarray(0, bytes.length / 2), () => near.resetAndDestroy());
    });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      if (state === 'lost') dead.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', (hadError) => {
        sockets.delete(socket);
        if (socket === near || hadError || dead.has(near)) other.destroy();
        else handBack('end');
      });
    }
  });

  const proxy: TcpProxy = {
    port: 0,
    accepted: () => accepted,
    connections: () => sockets.size / 2,
    delayMs: 0,
    onRequest: () => {},
    hold: () => {
      state = 'held';
    },
    holdAnswers: () => {
      state = 'answers held';
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
