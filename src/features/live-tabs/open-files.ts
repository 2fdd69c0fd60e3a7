import { readFileSync } from 'node:fs';

/** For Redis, logs, libraries and the like. */
const otherFiles = 256;
/** What streams get at least: a limit this low leaves pages short anyway. */
const minShare = 0.5;

/**
 * How many streams a process may keep, since each takes an open file. Pages must not run out of them.
 * @param maxPages the connections that are for pages
 * @param maxOpenFiles infinite when it is unknown
 */
export function maxStreamsWithin(maxOpenFiles: number, wanted: number, maxPages: number): number {
  const beyondPages = maxOpenFiles - maxPages - otherFiles;
  return Math.min(wanted, Math.max(beyondPages, Math.floor(maxOpenFiles * minShare)));
}

/** The limit on this process's open files. Only Linux tells; elsewhere it counts as infinite. */
export function maxOpenFiles(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
