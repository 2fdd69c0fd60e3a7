import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import type { NodeClient } from '../../src/redis/node.ts';

/** Longer than anything waits that is written a moment after a request, such as a history. */
const quietMs = 50;

/** Written at any time, by whatever happened before: the history of an address, and the comparison of the clocks. */
const background = [/"h:\{/, /\] "TIME"$/i];
const unlisted = /^(hello|ping|info|config|client)$/;

/** How often Redis runs each command for this work; those of the background and of this count are left out. */
export async function commandsFor(redis: NodeClient, work: () => Promise<unknown>): Promise<Record<string, string>> {
  await untilQuiet(redis);
  const counts = countCommands(await monitored(redis, work));
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, String(count)]));
}

/** Counts the commands that MONITOR has shown, with those of scripts. */
export function countCommands(lines: string[], leftOut: RegExp[] = []): Record<string, number> {
  const counts: Record<string, number> = {};
  let isLeftOut = false;
  for (const line of lines) {
    const [, where = '', name = ''] = /\[\d+ (\S+)\] "([^"]+)"/.exec(line) ?? [];
    const command = name.toLowerCase();
    // The commands of a script follow it.
    if (where !== 'lua') isLeftOut = [...background, ...leftOut].some((pattern) => pattern.test(line));
    if (!isLeftOut && !unlisted.test(command)) counts[command] = (counts[command] ?? 0) + 1;
  }
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
  return Object.fromEntries(calls.filter(([name]) => !/^(hello|ping|info|config|time)/.test(name ?? '')));
}

/** How many keys there are, without the history of addresses, which is written a moment later. */
export async function countKeys(redis: { keys: (pattern: string) => Promise<string[]> }): Promise<number> {
  return (await redis.keys('*')).filter((key) => !key.startsWith('h:')).length;
}
