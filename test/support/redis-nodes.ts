import { expect, vi } from 'vitest';
import { type RedisServer, startRedisServer } from './redis-server.ts';

/** The password of every node. */
export const password = 'of-the-operator';
export const readyWithinMs = 20_000;
/** What a node is told that has a replica, or is one. */
export const replicated = {
  appendonly: 'yes',
  masterauth: password,
  'repl-diskless-sync-delay': '0',
};

/** Waits until what this node holds is held twice. */
export function isReplicated(node: RedisServer): Promise<void> {
  return vi.waitFor(async () => {
    const info = await node.client((client) => client.info('replication'));
    expect(info).toMatch(/state=online|master_link_status:up/);
  }, readyWithinMs);
}

/** Starts a Redis with these settings. */
export function startNode(settings: Record<string, string>): Promise<RedisServer> {
  return startRedisServer(
    password,
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
  );
}
