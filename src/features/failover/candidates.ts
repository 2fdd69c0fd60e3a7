import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisUnavailable, withTimeout } from '../../redis/deadline.ts';
import type { NodeAddress, NodeClient, NodeOptions } from '../../redis/node.ts';

const openDeadlineMs = 1000;
/** How often an attempt checks whether another address has been named. */
const moveCheckIntervalMs = 250;
/** How long a DNS answer may be used after the attempt that asked for it gave up. */
const lateAnswerMs = 1000;
/** Lookups that take longer than an attempt: about 5 s where the first DNS server is down. */
const slowLookups = new Map<string, ReturnType<typeof lookUp>>();

const lookUp = (host: string) => dns.lookup(host, { all: true });

/** How to reach each of the machines that the host name of an address has now. */
export async function candidatesFor(address: NodeAddress, options: NodeOptions): Promise<[NodeAddress, NodeOptions][]> {
  if ('socketPath' in address) return [[address, options]];
  const { host, port } = address;
  const { tls } = options;
  const named = tls && !isIP(host) ? { ...options, tls: { ...tls, servername: host } } : options;
  // A lookup that each attempt begins anew would never be over.
  const lookup = slowLookups.get(host) ?? lookUp(host);
  slowLookups.delete(host);
  const found = await withTimeout(openDeadlineMs, lookup).catch((error: unknown) => {
    if (error instanceof RedisUnavailable && error.cause === undefined) keepLookup(host, lookup);
    throw error;
  });
  return found.map((ip) => [{ host: ip.address, port }, named]);
}

function keepLookup(host: string, lookup: ReturnType<typeof lookUp>): void {
  slowLookups.set(host, lookup);
  const forget = () => {
    if (slowLookups.get(host) === lookup) slowLookups.delete(host);
  };
  const forgetLater = () => void setTimeout(forget, lateAnswerMs).unref();
  lookup.then(forgetLater, forgetLater);
}

/** The first of these that is connected to a primary. */
export function firstPrimary(clients: NodeClient[]): Promise<NodeClient> {
  return withTimeout(openDeadlineMs, Promise.any(clients.map(connectToPrimary)));
}

/** Another address has been named for the primary. */
export class PrimaryMoved extends Error {}

/** @throws {PrimaryMoved} as soon as `hasMoved` says so */
export async function untilMoved(hasMoved: () => Promise<boolean>, signal: AbortSignal): Promise<never> {
  for (;;) {
    await sleep(moveCheckIntervalMs, undefined, { signal, ref: false });
    if (await hasMoved().catch(() => false)) throw new PrimaryMoved('another primary has been named');
  }
}

/** @throws if it is a replica */
async function connectToPrimary(client: NodeClient): Promise<NodeClient> {
  await client.connect();
  // The library completes a connection even if its client was destroyed in the meantime.
  if (!client.isOpen) client.destroy();
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
