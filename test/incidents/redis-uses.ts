import { expect } from 'vitest';
import { Blocks } from '../../src/features/incidents/blocks.ts';
import { readNetwork } from '../../src/features/incidents/network.ts';
import type { RedisClient } from '../../src/redis/client.ts';

/** What the running app asks for an operator: whether a client is blocked. The rest it asks whenever it connects. */
export async function useRedis(redis: RedisClient): Promise<void> {
  const blocks = new Blocks(redis);
  const network = readNetwork('203.0.113.0/24');
  if (!network) throw new Error('not a network');
  await blocks.add(network, 60);
  expect(await blocks.isBlocked('203.0.113.7')).toBe(true);
  await blocks.remove(network);
}
