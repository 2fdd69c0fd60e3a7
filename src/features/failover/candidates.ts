import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisUnavailable, withTimeout } from '../../redis/deadline.ts';
import type { NodeAddress, NodeClient, NodeOptions } from '../../redis/node.ts';

const openDeadlineMs = 1000;
/** How often it is looked meanwhile whether another address is named. */
const elsewhereIntervalMs = 250;
/** How long an answer of DNS counts that came too late for the attempt which asked. */
const lateAnswerMs = 1000;
/** Lookups that took longer than an attempt. Where the first DNS server is down, each takes some 5 s. */
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
    if (error instanceof RedisUnavailable && error.cause === undefined) waitOnFor(host, lookup);
    throw error;
  });
  return found.map((ip) => [{ host: ip.address, port }, named]);
}

function waitOnFor(host: string, lookup: ReturnType<typeof lookUp>): void {
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
