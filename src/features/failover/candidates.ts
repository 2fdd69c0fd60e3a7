import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisUnavailable, withTimeout } from '../../redis/deadline.ts';
import type { NodeAddress, NodeClient, NodeOptions } from '../../redis/node.ts';

const openDeadlineMs = 1000;
/** How often it is looked meanwhile whether another address is named. */
const elsewhereIntervalMs = 250;

/** How to reach each of the machines that the host name of an address has now. */
export async function candidatesFor(address: NodeAddress, options: NodeOptions): Promise<[NodeAddress, NodeOptions][]> {
  if ('socketPath' in address) return [[address, options]];
  const { host, port } = address;
  const { tls } = options;
  const named = tls && !isIP(host) ? { ...options, tls: { ...tls, servername: host } } : options;
  const found = await withTimeout(openDeadlineMs, dns.lookup(host, { all: true }));
  return found.map((ip) => [{ host: ip.address, port }, named]);
}

/** The first of these that is connected to a primary. */
export function firstPrimary(clients: NodeClient[]): Promise<NodeClient> {
  return withTimeout(openDeadlineMs, Promise.any(clients.map(connectToPrimary)));
}

/** @throws as soon as another address is named than this one */
export async function untilElsewhere(isElsewhere: () => Promise<boolean>, signal: AbortSignal): Promise<never> {
  for (;;) {
    await sleep(elsewhereIntervalMs, undefined, { signal, ref: false });
    if (await isElsewhere().catch(() => false)) throw new Error('the primary is elsewhere now');
  }
}

/** @throws if it is a replica */
async function connectToPrimary(client: NodeClient): Promise<NodeClient> {
  await client.connect();
  const { role } = await client.hello();
  if (role === 'replica') throw new Error('this Redis is a read-only replica, not the primary');
  return client;
}

/** Why no candidate is a primary. One that leads to a Redis says more than one that leads nowhere. */
export function reasonOf(error: unknown): unknown {
  const cause = error instanceof RedisUnavailable ? error.cause : undefined;
  if (!(cause instanceof AggregateError)) return cause ?? error;
  const [first] = cause.errors;
  return cause.errors.find((reason) => !('syscall' in reason)) ?? first;
}
