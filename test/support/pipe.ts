import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { newDirectory } from './process.ts';

/** The path of a new named pipe. */
export function newPipe(): string {
  const path = join(newDirectory('pipe-'), 'pipe');
  execFileSync('sh', ['-c', 'mkfifo "$0"', path]);
  return path;
}
