import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * A TCP link to a local port whose answers arrive this much later. All that is due at once leaves in one write, so that a
 * busy link costs little more than an idle one.
 */
export async function startDelay(port: number, delayMs: number): Promise<{ port: number; close: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host: '127.0.0.1', port, noDelay: true });
    near.on('data', (bytes) => far.write(bytes));
    far.on('data', delayed(near, delayMs));
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
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Hands bytes on in their order, with one timer for all of them. */
function delayed(to: Socket, delayMs: number): (bytes: Buffer) => void {
  let waiting: { bytes: Buffer; dueAt: number }[] = [];
  function handOn(): void {
    const now = performance.now();
    const later = waiting.findIndex(({ dueAt }) => dueAt > now);
    const due = later === -1 ? waiting : waiting.slice(0, later);
    waiting = later === -1 ? [] : waiting.slice(later);
    if (due.length > 0)
      to.write(due.length === 1 ? (due[0]?.bytes ?? '') : Buffer.concat(due.map(({ bytes }) => bytes)));
    if (waiting.length > 0) setTimeout(handOn, (waiting[0]?.dueAt ?? now) - now);
  }
  return (bytes) => {
    waiting.push({ bytes, dueAt: performance.now() + delayMs });
    if (waiting.length === 1) setTimeout(handOn, delayMs);
  };
}
