import { deadlineMs, RedisUnavailable } from '../../redis/deadline.ts';
import type { NodeAddress, NodeClient } from '../../redis/node.ts';

/** A connection to what was the primary when it was opened. */
export type Link = {
  name: string;
  client: NodeClient;
  askedAt: number;
  /** Since when a heartbeat has not been answered. */
  silentSince: number | undefined;
  isReplica: boolean;
};

/** A connection on which a heartbeat is not answered within this time is dead, even if its socket looks ready. */
export const maxSilenceMs = deadlineMs;

/**
 * Closes one that has been replaced. Lets it answer what it was asked: a replica still serves reads, and may have become
 * the primary again since it was looked at.
 */
export function retire(client: NodeClient): void {
  if (!client.isOpen) return;
  const timer = setTimeout(() => client.destroy(), deadlineMs).unref();
  void client.close().then(() => clearTimeout(timer));
}

export function nameOf(address: NodeAddress): string {
  return 'socketPath' in address ? address.socketPath : `${address.host}:${address.port}`;
}

export function silenceMsOf({ silentSince }: Link): number {
  return silentSince === undefined ? 0 : performance.now() - silentSince;
}

export function faultOf(link: Link): Error | undefined {
  if (!link.client.isReady) return new RedisUnavailable('Redis closed the connection');
  if (link.isReplica) return new RedisUnavailable('this Redis is a read-only replica now');
  return silenceMsOf(link) > maxSilenceMs ? new RedisUnavailable('Redis does not answer') : undefined;
}
