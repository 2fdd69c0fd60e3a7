import { readdirSync, readFileSync } from 'node:fs';

/** The CPU time of a process and its children so far, user and system, without threads that have ended. Linux only. */
export function cpuSecondsOf(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  // Nanoseconds, whereas `stat` counts ticks of 10 ms.
  const nanoseconds = tasks.map((task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
  );
  const own = nanoseconds.reduce((sum, value) => sum + value, 0) / 1e9;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  return children.reduce((sum, child) => sum + cpuSecondsOf(child), own);
}

/** A process's resident memory (RSS). Linux only. @public for features: those that measure memory */
export function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}
