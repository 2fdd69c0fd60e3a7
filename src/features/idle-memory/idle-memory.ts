import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Config } from '../../config.ts';
import type { Service } from '../../core.ts';

const intervalMs = 2000;
/** V8 keeps the code of a function until a few collections have found it unused. */
const collectionCount = 3;

/**
 * Returns what the start has left behind to the operating system. Node 20 does so by itself after half a minute without
 * requests; Node 22 and 24 keep it until the heap is full.
 */
export function returnMemory({ production }: Config): Service {
  return {
    start: async () => {
      if (production) collectLater(collectionCount);
    },
  };
}

function collectLater(times: number): void {
  setTimeout(() => {
    collectGarbage();
    if (times > 1) collectLater(times - 1);
  }, intervalMs).unref();
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  // The least gentle of V8's collections: others keep the pages that they have emptied.
  runInNewContext('gc')({ type: 'major', flavor: 'last-resort' });
  // V8 refuses the compiled code of a bundle when the flags differ from those of its build.
  setFlagsFromString('--no-expose-gc');
}
