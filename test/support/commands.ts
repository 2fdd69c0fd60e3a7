import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import type { NodeClient } from '../../src/redis/node.ts';

/** Longer than anything waits that is written a moment after a request, such as a history. */
const quietMs = 50;

/** What connections are made and kept with, and what this count itself asks; subcommands such as `config|get` as well. */
const upkeep = /^(hello|ping|info|config)(\||$)/;

/** Writes to the history of an address, a moment after what they record. */
export const historyWrites = /"h:\{/;

/** The comparison of the clocks, once a minute. */
const clockComparison = /\] "TIME"$/i;

/**
 * How often Redis runs each command for this work; the upkeep of connections and one comparison of the clocks are left
 * out. What earlier requests record is awaited, so only work that causes history has to leave it out.
 */
export async function commandsFor(
  redis: NodeClient,
  work: () => Promise<unknown>,
  leftOut: RegExp[] = [],
): Promise<Record<string, string>> {
  await untilQuiet(redis);
  const counts = countCommands(await monitored(redis, work), leftOut);
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, String(count)]));
}

/** Counts the commands that MONITOR has shown, with those of scripts. */
export function countCommands(lines: string[], leftOut: RegExp[] = []): Record<string, number> {
  const counts: Record<string, number> = {};
  let isLeftOut = false;
  let hasComparedClocks = false;
  for (const line of lines) {
    const [, where = '', name = ''] = /\[\d+ (\S+)\] "([^"]+)"/.exec(line) ?? [];
    const command = name.toLowerCase();
    // The commands of a script follow it.
    if (where !== 'lua') {
      const isComparison: boolean = !hasComparedClocks && clockComparison.test(line);
      hasComparedClocks ||= isComparison;
      isLeftOut = isComparison || leftOut.some((pattern) => pattern.test(line));
    }
    if (!isLeftOut && !upkeep.test(command)) counts[command] = (counts[command] ?? 0) + 1;
  }
  // feature: performance
  // Scripts are called by their text once, and then by their hash.
  const { evalsha = 0, ...others } = counts;
  if (evalsha > 0) return { ...others, eval: (others.eval ?? 0) + evalsha };
  // end: performance
  return counts;
}

/** What Redis runs for this work, by whomever it is asked: one line a command, as MONITOR shows them. */
export async function monitored(redis: NodeClient, work: () => Promise<unknown>): Promise<string[]> {
  const monitor = redis.duplicate();
  await monitor.connect();
  const lines: string[] = [];
  const end = crypto.randomUUID();
  let hasEnded = () => {};
  const ended = new Promise<void>((done) => {
    hasEnded = done;
  });
  await monitor.monitor((line) => (line.includes(end) ? hasEnded() : lines.push(line)));
  try {
    await work();
    await redis.get(end);
    await ended;
  } finally {
    monitor.destroy();
  }
  return lines;
}

/** Waits for what earlier requests have left to be written, which would be counted as well. */
export async function untilQuiet(redis: NodeClient): Promise<void> {
  let before: Record<string, string> | undefined;
  const isQuiet = async () => {
    const [previous, calls] = [before, await countCalls(redis)];
    before = calls;
    return isDeepStrictEqual(previous, calls);
  };
  await expect.poll(isQuiet, { timeout: 10_000, interval: quietMs }).toBe(true);
}

async function countCalls(redis: NodeClient): Promise<Record<string, string>> {
  const info = await redis.info('commandstats');
  const calls = [...info.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)].map(([, name = '', count = '']) => [name, count]);
  return Object.fromEntries(calls.filter(([name]) => !upkeep.test(name ?? '')));
}

/** How many keys there are, without the history of addresses, which is written a moment later. */
export async function countKeys(redis: { keys: (pattern: string) => Promise<string[]> }): Promise<number> {
  return (await redis.keys('*')).filter((key) => !key.startsWith('h:')).length;
}
