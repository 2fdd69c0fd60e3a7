import cluster from 'node:cluster'; // feature: workers
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { NotRegularFile, openAtOnce, readRegularFile } from '../../shared/regular-file.ts';

/** How long a program may take that prints a secret, such as one that asks a vault for it. */
const maxWaitMs = 10_000;
const pollMs = 20;
const maxBytes = 65_536;

/** Reads a regular file, or a pipe such as `/dev/stdin` or what a shell makes of `<(…)`: that one once, and not for ever. */
export function readFileOrPipe(path: string): Uint8Array {
  if (!statSync(path).isFIFO()) return readRegularFile(path);
  // feature: workers
  if (cluster.isWorker) throw new NotRegularFile('a pipe, which only one process can read; with WORKERS, name a file');
  // end: workers
  const fd = openSync(path, openAtOnce);
  try {
    return readPipe(fd);
  } finally {
    closeSync(fd);
  }
}

function readPipe(fd: number): Uint8Array {
  const bytes = Buffer.alloc(maxBytes);
  let length = 0;
  const endsAt = performance.now() + maxWaitMs;
  while (performance.now() < endsAt && length < maxBytes) {
    const count = readAvailable(fd, bytes.subarray(length));
    // Before the first byte, the writer may not have opened the pipe yet.
    if (count === 0 && length > 0) return bytes.subarray(0, length);
    length += count ?? 0;
    if (!count) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pollMs);
  }
  throw new NotRegularFile(
    length < maxBytes
      ? `a pipe that did not end within ${maxWaitMs / 1000} s`
      : 'a pipe with too much in it for a secret',
  );
}

/** How many bytes were read; 0 when no writer is left, and undefined when one has not written yet. */
function readAvailable(fd: number, into: Buffer): number | undefined {
  try {
    return readSync(fd, into);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw error;
  }
}
