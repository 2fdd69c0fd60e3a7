// Which tests reach which mutants.
import { readdirSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { type Mutant, testsFor } from './mutants.ts';
import type { Result, Task } from './protocol.ts';

/** The test files in these folders that are quick. All of them run in the process of their source, so that this is mutated. */
export function quickTests(folders: string[]): string[] {
  const files = new Set(folders.flatMap(filesBelow));
  return [...files]
    .filter((file) => /\.test\.ts$/.test(file) && !/\.(process|browser|faults|timed)\./.test(file))
    .sort();
}

function filesBelow(path: string): string[] {
  if (path.endsWith('.ts')) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' }).map((name) => `${path}/${name}`);
}

/** What a test file reached without a mutant. */
export type Reach = { test: string; medianMs: number } & Result;

export function reachOf(test: string, result: Result): Reach {
  return { test, medianMs: median(Object.values(result.testMs)), ...result };
}

/** With more of them a survivor would take minutes, and what is far away seldom finds what the near ones did not. */
const maxTestFiles = 12;
/** Tests that take so many times the median of their file wait until all others have let a mutant live. */
const slowFactor = 3;
const minTimeoutMs = 4000;

/**
 * What to run against a mutant, the nearest first: the files that have the name of its source in theirs, then those of
 * its folder, then others; of each, first the ones of which the fewest tests reach it.
 */
export function tasksAgainst(mutant: Mutant, reaches: Reach[]): Task[] {
  const { id } = mutant;
  // The value of a constant may be used anywhere.
  const reload = reaches.some(({ reachedByLoading }) => reachedByLoading.includes(id));
  const near = reaches.flatMap((reach) => {
    const all = Object.keys(reach.testMs);
    const isWhole = [reach.reachedByLoading, reach.reachedOutsideTests].some((reached) => reached.includes(id));
    // In the order in which they ran.
    const testIds = isWhole ? all : all.filter((test) => reach.reachedByTests[test]?.includes(id));
    if (!isWhole && testIds.length === 0) return [];
    return [{ reach, testIds, distance: distanceTo(mutant.file, reach.test) + testIds.length }];
  });
  near.sort((a, b) => a.distance - b.distance || a.reach.test.localeCompare(b.reach.test));
  const isQuick = ({ testMs, medianMs }: Reach, test: string) => (testMs[test] ?? 0) <= slowFactor * medianMs;
  const tasksOf = (quick: boolean) =>
    near.slice(0, maxTestFiles).flatMap(({ reach, testIds }): Task[] => {
      const chosen = testIds.filter((test) => isQuick(reach, test) === quick);
      if (chosen.length === 0) return [];
      const timeoutMs = Math.max(minTimeoutMs, 5 * Math.max(...chosen.map((test) => reach.testMs[test] ?? 0)));
      return [{ file: resolve(reach.test), mutant: id, reload, testIds: chosen, timeoutMs }];
    });
  return [...tasksOf(true), ...tasksOf(false)];
}

function distanceTo(source: string, test: string): number {
  if (basename(test).includes(basename(source, '.ts'))) return 0;
  return test.startsWith(`${testsFor(source)[0]}/`) ? 1e6 : 2e6;
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}
