import { resolve } from 'node:path';
import type { Mutant } from './mutants.ts';
import type { Result, Task } from './protocol.ts';
import { type Reach, reachOf } from './reach.ts';
import { Worker } from './workers.ts';

/** What to run against a mutant, until something fails. */
export type Attempt = { mutant: Mutant; tasks: Task[] };

/** Tries mutants against tests, in several processes at once. */
export class Attempts {
  readonly #workers: Worker[];
  /** Whether some tests of a file pass without the others and without a mutant. */
  readonly #passesAlone = new Map<string, boolean>();

  /** @param code the instrumented sources, by their paths */
  constructor(code: Record<string, string>, workers: number) {
    this.#workers = Array.from({ length: workers }, () => new Worker(code));
  }

  /** What the tests reach while nothing is changed. @throws if one fails */
  reach(tests: string[]): Promise<Reach[]> {
    return this.#share(tests, async (test, worker) => {
      const result = await runUnchanged({ file: resolve(test), reload: true }, worker);
      return reachOf(test, result);
    });
  }

  /** @param done is told of each mutant, with the result that killed it */
  async kill(attempts: Attempt[], done: (mutant: Mutant, killed?: Result) => void): Promise<void> {
    // Mutants for which modules have to be reloaded come last, one after the other.
    const sorted = attempts.toSorted((a, b) => Number(a.tasks[0]?.reload) - Number(b.tasks[0]?.reload));
    await this.#share(sorted, async ({ mutant, tasks }, worker) => {
      for (const task of tasks) {
        const result = await this.#attempt(task, worker);
        if (result) return done(mutant, result);
      }
      done(mutant);
    });
  }

  /** @throws if a mutant has left anything behind that fails the tests of others */
  async check(tests: string[]): Promise<void> {
    const files = tests.map((test) => resolve(test));
    const checkIn = async (worker: Worker) => {
      for (const file of files) await runUnchanged({ file, reload: false }, worker);
    };
    await Promise.all(this.#workers.map(checkIn));
  }

  stop(): void {
    for (const worker of this.#workers) worker.stop();
  }

  /** The result of a task that fails because of its mutant. */
  async #attempt(task: Task, worker: Worker): Promise<Result | undefined> {
    const result = await runPatiently(task, worker);
    if (!result.failure) return undefined;
    const { testIds, ...wholeFile } = task;
    if (!testIds) return result;
    const failed = result.failedTest ? [result.failedTest] : testIds;
    return (await this.#passAlone(task.file, failed, worker)) ? result : this.#attempt(wholeFile, worker);
  }

  /** A test that needs those before it may only have failed for want of them. */
  async #passAlone(file: string, testIds: string[], worker: Worker): Promise<boolean> {
    const key = [file, ...testIds].join();
    const known = this.#passesAlone.get(key);
    if (known !== undefined) return known;
    const { failure } = await worker.run({ file, testIds, reload: false });
    this.#passesAlone.set(key, !failure);
    return !failure;
  }

  /** Gives each item to a worker that is free. */
  async #share<Item, Value>(items: Item[], work: (item: Item, worker: Worker) => Promise<Value>): Promise<Value[]> {
    const left = [...items];
    const values: Value[] = [];
    const takeTurns = async (worker: Worker) => {
      for (let item = left.shift(); item !== undefined; item = left.shift()) values.push(await work(item, worker));
    };
    await Promise.all(this.#workers.map(takeTurns));
    return values;
  }
}

/** On a busy machine a test may take too long, so a timeout counts only if three times the limit is not enough either. */
async function runPatiently(task: Task, worker: Worker): Promise<Result> {
  const result = await worker.run(task);
  return result.isTimeout ? worker.run(task, 3) : result;
}

/** @throws if a test fails twice: on a busy machine one may fail once */
async function runUnchanged(task: Task, worker: Worker): Promise<Result> {
  const first = await worker.run(task);
  const result = first.failure ? await worker.run(task) : first;
  if (result.failure) throw new Error(`${task.file} fails without a mutant: ${result.failure}`);
  return result;
}
