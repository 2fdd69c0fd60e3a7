import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';

export type Cores = { ofServers: number; others: number[] };

/** The core that each server gets for itself, and those of everything else; undefined if the system can't pin processes. */
export function divideCores(): Cores | undefined {
  const { stdout } = spawnSync('taskset', ['--cpu-list', '--pid', String(process.pid)], { encoding: 'utf8' });
  const [, list] = /list: (\S+)/.exec(stdout ?? '') ?? [];
  const allowed = (list ?? '').split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    if (first === undefined || last === undefined || range === '') return [];
    return Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
  });
  const ofServers = allowed.at(-1);
  return ofServers === undefined || allowed.length < 2 ? undefined : { ofServers, others: allowed.slice(0, -1) };
}

/** Keeps a process on these cores, with all its threads and whatever it will start. */
export function pin(pid: number, cores: number[]): void {
  const args = ['--all-tasks', '--cpu-list', '--pid', cores.join(','), String(pid)];
  const { status, stderr } = spawnSync('taskset', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`taskset: ${stderr}`);
}

/**
 * Starts watching cores.
 * @returns a function that tells what share of the time, from 0 to 1, they have been busy since
 */
export function watchCores(cores: number[]): () => number {
  const before = times(cores);
  return () => {
    const after = times(cores);
    return (after.busy - before.busy) / (after.all - before.all);
  };
}

function times(cores: number[]): { busy: number; all: number } {
  const all = cpus();
  const watched = cores.flatMap((core) => all[core]?.times ?? []);
  const sum = watched.flatMap((spent) => Object.values(spent)).reduce((total, ms) => total + ms, 0);
  return { busy: sum - watched.reduce((total, { idle }) => total + idle, 0), all: sum };
}
