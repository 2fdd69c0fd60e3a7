import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type TcpLink = {
  port: number;
  /** Closes all connections, and accepts new ones. */
  disconnect: () => void;
  close: () => Promise<void>;
};

/**
 * A link to a local port.
 * @param carry hands on what arrives at either end of a connection
 */
export async function startTcpLink(port: number, carry: (near: Socket, far: Socket) => void): Promise<TcpLink> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host: '127.0.0.1', port, noDelay: true });
    carry(near, far);
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
  const disconnect = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    disconnect,
    async close() {
      disconnect();
      server.close();
      await once(server, 'close');
    },
  };
}
