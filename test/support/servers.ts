import type { Server } from 'node:http';
import { listen, portOf } from '../../src/http/http-server.ts';

/** Starts a server on a free port of this machine, and returns its URL. */
export async function listenLocally(server: Server): Promise<string> {
  await listen(server, 0, '127.0.0.1');
  return `http://127.0.0.1:${portOf(server)}`;
}
