import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../../config.ts';
import type { Service } from '../../core.ts';
import type { Logger } from '../../log.ts';
import {
  type Ending,
  failureOf,
  forkWorker,
  type Inherited,
  inherit,
  killAll,
  problemsIn,
  retire,
  sayFailure,
  settleConnections,
  unlessRetiring,
} from './worker.ts';

/** Serves until the closers are called. */
type Serve = (config: Config, log: Logger, closers: (() => Promise<void>)[]) => Promise<void>;

type Options = {
  /** Reads the settings anew. @throws {ConfigError} */
  readSettings: () => Config;
};

/** Settings by their names, as they are in a configuration. */
type SettingsIn = Record<string, (config: Config) => unknown>;

const minRestartDelayMs = 100;
const maxRestartDelayMs = 10_000;
/** A worker that has run for this long is restarted without delay. */
const stableAfterMs = 60_000;
/** Beyond the time that a worker takes to shut down. */
const killAfterMs = 15_000;
/** What the primary goes by as long as it runs. */
const ownSettings: SettingsIn = {
  WORKERS: ({ workers }) => workers.count,
  SHUTDOWN_DELAY: ({ shutdownDelaySeconds }) => shutdownDelaySeconds,
};

/**
 * Serves in several processes where `WORKERS` asks for them: a primary, which holds the port, and workers, which share it
 * (node:cluster). A worker that dies is replaced. SIGHUP replaces all of them one after another, each by one that has
 * read the settings anew, and no request fails.
 */
function supervise(serve: Serve, options: Options): Serve {
  return async (config, log, closers) => {
    if (cluster.isWorker) {
      closers.push(settleConnections); // Runs last: until then, connections may be on their way to this worker.
      return serve(await inherit(config), log, closers);
    }
    if (config.workers.count === 1) return serve(config, log, closers);
    const inherited = await provide(config, closers);
    const supervisor = new Supervisor(config, log, inherited, options);
    closers.push(() => supervisor.stop(config.shutdownDelaySeconds));
    process.prependOnceListener('exit', killAll); // First, since writing the log may end this process by a signal.
    for (const service of workers.beside.map(({ open }) => open(config, log))) {
      await service.start?.();
      closers.push(async () => service.stop?.());
    }
    await supervisor.start();
  };
}

/** In development there is one private Redis for all workers, and one secret. */
async function provide(config: Config, closers: (() => Promise<void>)[]): Promise<Inherited> {
  if (config.production) return {};
  const development = await import('../../dev/index.ts');
  return development.fillIn(config, closers);
}

/** What runs once beside all workers, and the settings that it goes by. */
type Beside = { open: (config: Config, log: Logger) => Service; settings: SettingsIn };

export const workers = {
  supervise,
  unlessRetiring,
  isPrimary: cluster.isPrimary,
  sayFailure,
  /** Such as a port for their metrics. */
  beside: [] as Beside[],
};

/** Waits for the end of a worker. `once()` would stop waiting at a message that came too late for it (EPIPE). */
function endOf(worker: Worker): Promise<Ending> {
  return new Promise((resolve) => worker.once('exit', (code, signal) => resolve({ code, signal })));
}

/** A worker ended before it listened, and a reload has started its successor. */
class Superseded extends Error {}

class Supervisor {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #inherited: Inherited;
  readonly #options: Options;
  readonly #workers = new Set<Worker>();
  /** The settings of the last reload that replaced every worker. */
  #latest: Config;
  /** The worker whose successor a reload is starting. */
  #replacing: Worker | undefined;
  #isStopping = false;
  #reload: Promise<void> | undefined;
  #isReloadWaiting = false;
  #restartDelayMs = 0;

  constructor(config: Config, log: Logger, inherited: Inherited, options: Options) {
    this.#config = config;
    this.#latest = config;
    this.#log = log;
    this.#inherited = inherited;
    this.#options = options;
  }

  /** @throws {Error} when a worker can't start, with what prevents it */
  async start(): Promise<void> {
    const started = Promise.resolve().then(() => this.#startAll());
    // A terminal that is closed still ends everything.
    if (!process.stdout.isTTY) {
      const earlier = process.listeners('SIGHUP');
      const reload = () => this.#replaceAll();
      process.on('SIGHUP', () => {
        // A reload that waits for another one will read the settings of then.
        if (this.#isReloadWaiting) return;
        this.#isReloadWaiting = true;
        // The start reports its own failure.
        this.#reload = this.#reload?.then(reload) ?? started.then(reload, () => {});
      });
      // Last: without any listener, Node would lose a signal that has just come.
      for (const listener of earlier) process.off('SIGHUP', listener);
    }
    await started;
  }

  async #startAll(): Promise<void> {
    // The first one by itself: what is wrong is most likely wrong for all.
    await this.#add();
    await Promise.all(Array.from({ length: this.#config.workers.count - 1 }, () => this.#add()));
    this.#log.info({ workers: [...this.#workers].map(({ process: { pid } }) => pid) }, 'workers are running');
  }

  async stop(delaySeconds: number): Promise<void> {
    this.#isStopping = true;
    const ending = [...this.#workers].map((worker) => this.#end(worker, delaySeconds, () => worker.process.kill()));
    // A reload may be waiting for a worker that is no longer listed.
    await Promise.all([...ending, this.#reload]);
  }

  /** Starts a worker, and resolves once it listens. @throws {Error} with what prevents it */
  async #add(): Promise<Worker> {
    const worker = forkWorker(this.#inherited);
    const startedAt = performance.now();
    this.#workers.add(worker);
    const ended = endOf(worker);
    const listening = once(worker, 'listening').then(
      () => undefined,
      () => failed,
    );
    const failed = failureOf(worker, ended);
    const failure = await Promise.race([listening, failed]);
    if (failure !== undefined) {
      const hasSuccessor = !this.#workers.delete(worker) || worker === this.#replacing;
      throw hasSuccessor ? new Superseded(failure) : new Error(failure);
    }
    void ended.then(({ code, signal }) => {
      // A worker that is no longer listed was asked to stop.
      if (!this.#workers.delete(worker) || this.#isStopping) return;
      this.#log.error({ worker: worker.process.pid, code, signal }, 'worker died');
      if (performance.now() - startedAt > stableAfterMs) this.#restartDelayMs = 0;
      if (worker !== this.#replacing) void this.#restart();
    });
    return worker;
  }

  async #restart(): Promise<void> {
    while (!this.#isStopping) {
      await sleep(this.#restartDelayMs); // This timer may be all that keeps the process running.
      this.#restartDelayMs = Math.min(maxRestartDelayMs, Math.max(minRestartDelayMs, this.#restartDelayMs * 2));
      if (this.#isStopping) return;
      try {
        const worker = await this.#add();
        this.#log.info({ worker: worker.process.pid }, 'worker replaced');
        return;
      } catch (error) {
        if (error instanceof Superseded) return;
        this.#log.error({ problems: problemsIn(error), retryInMs: this.#restartDelayMs }, 'worker not replaced');
      }
    }
  }

  async #replaceAll(): Promise<void> {
    this.#isReloadWaiting = false;
    let config: Config;
    try {
      config = this.#options.readSettings();
    } catch (error) {
      this.#log.error({ problems: problemsIn(error) }, 'reload refused, and everything stays as it was');
      return;
    }
    this.#warnOfChanges(config);
    if (isDeepStrictEqual(config, this.#latest)) {
      this.#log.info('reload: the settings are as before; a change in the environment needs a restart');
    }
    this.#log.info('reload: replacing all workers');
    for (const old of [...this.#workers]) {
      if (this.#isStopping) return;
      // It has died meanwhile, and what replaces it has the new settings.
      if (!this.#workers.has(old)) continue;
      this.#replacing = old;
      try {
        await this.#add();
      } catch (error) {
        this.#log.error({ problems: problemsIn(error) }, 'reload stopped, and the other workers stay as they were');
        if (!this.#workers.has(old)) void this.#restart();
        return;
      } finally {
        this.#replacing = undefined;
      }
      this.#workers.delete(old);
      await this.#end(old, config.shutdownDelaySeconds, () => retire(old));
    }
    this.#latest = config;
    this.#log.info('reload: all workers replaced');
  }

  #warnOfChanges(config: Config): void {
    const held = [ownSettings, ...workers.beside.map(({ settings }) => settings)].flatMap(
      Object.entries<SettingsIn[string]>,
    );
    const settings = held.filter(([, read]) => read(config) !== read(this.#config)).map(([name]) => name);
    if (settings.length > 0) this.#log.warn({ settings }, 'reload: a change of these settings needs a restart');
  }

  async #end(worker: Worker, delaySeconds: number, ask: () => void): Promise<void> {
    if (worker.isDead()) return;
    const ended = endOf(worker);
    const timer = setTimeout(() => worker.process.kill('SIGKILL'), delaySeconds * 1000 + killAfterMs);
    ask();
    await ended;
    clearTimeout(timer);
  }
}
