import type { NodeClient } from '../../src/redis/node.ts';

/** How often Redis runs each command for this work; those of heartbeats and of this count are left out. */
export async function commandsFor(redis: NodeClient, work: () => Promise<unknown>): Promise<Record<string, string>> {
  await redis.configResetStat();
  await work();
  const info = await redis.info('commandstats');
  const calls = [...info.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)].map(([, name = '', count = '']) => [name, count]);
  return Object.fromEntries(calls.filter(([name]) => !/^(hello|ping|info|config)/.test(name ?? '')));
}
