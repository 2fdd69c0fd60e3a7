import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * Listens, or rejects with the reason.
 * @param port 0 for any that is free
 */
export function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail);
      done();
    });
  });
}

/** The port on which a server listens. */
export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
