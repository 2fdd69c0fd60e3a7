import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { afterwards } from '../support/afterwards.ts';

export type PipeReader = {
  /** Reads what is there, and returns all that was read so far. */
  read: () => string;
  close: () => void;
};

/** Opens a pipe; it is read only when asked to. */
export function openReader(path: string): PipeReader {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  let isOpen = true;
  let text = '';
  const buffer = Buffer.alloc(65_536);

  function read(): string {
    for (;;) {
      const bytes = attempt(() => readSync(fd, buffer));
      if (bytes === 0) return text;
      text += buffer.toString('latin1', 0, bytes);
    }
  }

  function close(): void {
    if (isOpen) closeSync(fd);
    isOpen = false;
  }
  afterwards(close);
  return { read, close };
}

/** Fills a pipe that has a reader, as if that had stopped long ago. */
export function fill(path: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  for (const size of [4096, 1]) while (attempt(() => writeSync(fd, Buffer.alloc(size, '\n'))) > 0);
  closeSync(fd);
}

/** 0 when there is no room, or nothing to read. */
function attempt(transfer: () => number): number {
  try {
    return transfer();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
    throw error;
  }
}
