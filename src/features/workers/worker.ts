import cluster, { type Worker } from 'node:cluster';
import { type Config, ConfigError, type RedisTarget, type SessionSecrets } from '../../config.ts';

/** What the primary has started or made for all workers, in development. */
export type Inherited = { redis?: RedisTarget; sessionSecrets?: SessionSecrets };

export type Ending = { code: number; signal: string | null };

const question = 'what is inherited';
const retirement = 'retire';
const flush = 'flush';
/** What messages of a start that failed begin with, on standard error. */
const failurePrefix = "Latchkey can't start: ";
/** How long to wait for a primary that does not answer. */
const flushTimeoutMs = 1000;
let retires = false;

/** Starts a worker, which reads the settings itself. */
export function forkWorker(inherited: Inherited): Worker {
  const worker = cluster.fork();
  worker.on('message', (message) => {
    if (message === question) worker.send({ inherited });
    if (message === flush) worker.send(flush);
  });
  // A message that comes too late for a worker that has just died. Its end is noticed by itself.
  worker.on('error', () => {});
  return worker;
}

/** As a last resort: a worker that is stuck does not notice that the primary has gone, and would run on for ever. */
export function killAll(): void {
  for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL');
}

/** Says why this process can't start. A worker tells the primary, which alone knows whether that stops anything else. */
export function sayFailure(message: string): void {
  if (cluster.isPrimary) console.error(message);
  else if (process.connected) process.send?.({ failure: message.replace(failurePrefix, '') });
}

/** What the operator has to put right, one by one. */
export function problemsIn(error: unknown): string[] {
  if (error instanceof ConfigError) return error.problems;
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n  - ').filter((problem) => problem !== '');
}

/** In the primary: resolves with the reason once a worker has ended without listening, or could not be started. */
export async function failureOf(worker: Worker, ended: Promise<Ending>): Promise<string> {
  let failure: string | undefined;
  worker.on('message', (message) => {
    if (isFailure(message)) failure = message.failure;
  });
  // Messages may come after the end, and none after this.
  const disconnected = new Promise<void>((resolve) => worker.once('disconnect', resolve));
  // A process that could not be started has no end, either.
  const notStarted = new Promise<string>((resolve) => {
    worker.on('error', (error: NodeJS.ErrnoException) => {
      if (worker.process.pid === undefined) resolve(`a worker's process could not be started (${error.code})`);
    });
  });
  const endedEarly = Promise.all([ended, disconnected]).then(
    ([{ code, signal }]) => failure ?? `a worker ended before it listened (${signal ?? `exit code ${code}`})`,
  );
  return Promise.race([notStarted, endedEarly]);
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

/**
 * In a worker that no longer listens: resolves once no connection is on its way to it. The primary hands connections over
 * by messages, and those that reach no worker would never be answered. Messages arrive in the order of sending.
 */
export function settleConnections(): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected) return resolve();
    process.on('message', (message) => {
      if (message === flush) resolve();
    });
    process.once('disconnect', () => resolve());
    setTimeout(resolve, flushTimeoutMs);
    process.send?.(flush);
  });
}

function isAnswer(message: unknown): message is { inherited: Inherited } {
  return typeof message === 'object' && message !== null && 'inherited' in message;
}

function isFailure(message: unknown): message is { failure: string } {
  return typeof message === 'object' && message !== null && 'failure' in message;
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
