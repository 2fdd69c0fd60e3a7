import { expect, vi } from 'vitest';
import { password } from './redis-password.ts';
import type { RedisServer } from './redis-server.ts';

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
