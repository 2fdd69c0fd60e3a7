import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Config } from '../../config.ts';
import type { Service } from '../../core.ts';

const delayMs = 2000;

/**
 * Returns what the start has left behind to the operating system. Node 20 does so by itself after half a minute without
 * requests; Node 22 and 24 keep it until the heap is full.
 */
export function returnMemory({ production }: Config): Service {
  return {
    start: async () => {
      if (production) setTimeout(collectGarbage, delayMs).unref();
    },
  };
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  // The least gentle of V8's collections: others keep the pages that they have emptied.
  runInNewContext('gc')({ type: 'major', flavor: 'last-resort' });
}
