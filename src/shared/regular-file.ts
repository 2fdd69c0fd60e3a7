import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

/** What opens at once: a pipe would wait for its other end. */
export const openAtOnce = constants.O_RDONLY | constants.O_NONBLOCK;

/** The message says what a path names instead, and how to put it right. */
export class NotRegularFile extends Error {}

/**
 * Reads a file that a setting names. Pipes and devices are refused: reading one may block, or never end.
 * @throws {NotRegularFile}
 * @throws {Error} for what can't be read
 */
export function readRegularFile(path: string): Buffer {
  const fd = openSync(path, openAtOnce);
  try {
    const stats = fstatSync(fd);
    if (stats.isDirectory()) throw new NotRegularFile('a directory, not a file');
    if (!stats.isFile()) throw new NotRegularFile(`a ${stats.isFIFO() ? 'pipe' : 'device'}; name a regular file`);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}
