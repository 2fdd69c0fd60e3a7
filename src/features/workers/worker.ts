import cluster, { type Worker } from 'node:cluster';
import type { Config, RedisTarget, SessionSecrets } from '../../config.ts';

/** What the primary has started or made for all workers, in development. */
export type Inherited = { redis?: RedisTarget; sessionSecrets?: SessionSecrets };

const question = 'what is inherited';
const retirement = 'retire';
let retires = false;

/** Starts a worker, which reads the settings itself. */
export function forkWorker(inherited: Inherited): Worker {
  const worker = cluster.fork();
  worker.on('message', (message) => {
    if (message === question) worker.send({ inherited });
  });
  // A message that comes too late for a worker that has just died. Its end is noticed by itself.
  worker.on('error', () => {});
  return worker;
}

/** In a worker: the configuration with what it has inherited. From here on it can be retired. */
export function inherit(config: Config): Promise<Config> {
  return new Promise((resolve) => {
    process.on('message', (message) => {
      if (message === retirement) {
        retires = true;
        process.kill(process.pid, 'SIGTERM');
      } else if (isAnswer(message)) resolve({ ...config, ...message.inherited });
    });
    process.send?.(question);
  });
}

function isAnswer(message: unknown): message is { inherited: Inherited } {
  return typeof message === 'object' && message !== null && 'inherited' in message;
}

/** Lets a worker stop as on SIGTERM, while others go on serving. */
export function retire(worker: Worker): void {
  if (worker.isConnected()) worker.send(retirement);
}

/**
 * Whether a process says at `/readyz` that it is about to stop. A worker that is being replaced does not: the port stays
 * open, and a balancer would take the whole machine out of use.
 */
export function unlessRetiring(isClosing: () => boolean): () => boolean {
  return () => isClosing() && !retires;
}
