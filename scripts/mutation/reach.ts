// Which tests reach which mutants.
import { readdirSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { type Mutant, testsFor } from './mutants.ts';
import type { Result, Task } from './protocol.ts';

/** The test files in these folders that run in the process of their source, so that this is mutated. */
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
export type Reach = { test: string; ms: number } & Pick<
  Result,
  'reachedByLoading' | 'reachedOutsideTests' | 'reachedByTests'
>;

/** With more of them a survivor would take minutes, and what is far away seldom finds what the near ones did not. */
const maxTestFiles = 8;

/**
 * What to run against a mutant, the nearest first: the file of the same name, then those of the same folder, then the
 * ones of which the fewest tests reach it.
 */
export function tasksAgainst(mutant: Mutant, reaches: Reach[]): Task[] {
  const { id } = mutant;
  // The value of a constant may be used anywhere.
  const reload = reaches.some(({ reachedByLoading }) => reachedByLoading.includes(id));
  const tasks = reaches.flatMap((reach): { task: Task; distance: number }[] => {
    // In the order in which they ran.
    const all = Object.keys(reach.reachedByTests);
    const testIds = all.filter((test) => reach.reachedByTests[test]?.includes(id));
    const isWhole = [reach.reachedByLoading, reach.reachedOutsideTests].some((reached) => reached.includes(id));
    if (!isWhole && testIds.length === 0) return [];
    const task = { file: resolve(reach.test), mutant: id, reload, ...(!isWhole && { testIds }) };
    return [{ task, distance: distanceTo(mutant.file, reach.test) + (isWhole ? all : testIds).length }];
  });
  tasks.sort((a, b) => a.distance - b.distance || a.task.file.localeCompare(b.task.file));
  return tasks.slice(0, maxTestFiles).map(({ task }) => task);
}

function distanceTo(source: string, test: string): number {
  if (basename(test).startsWith(`${basename(source, '.ts')}.`)) return 0;
  return test.startsWith(`${testsFor(source)[0]}/`) ? 1e6 : 2e6;
}
