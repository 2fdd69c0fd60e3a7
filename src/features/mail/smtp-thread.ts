import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Courier, Delivered, Sealed } from './delivery.ts';
import type { SmtpOptions } from './smtp-client.ts';
import type { ThreadCall } from './smtp-worker.ts';

const closeMs = 300;

/**
 * Delivers mail in a thread of its own: composing, encrypting and sending a mail must not take time from the requests
 * that come next, by which a stranger could tell whether an address gets mail (ASVS 6.3.8).
 */
export class SmtpThread implements Courier {
  readonly #options: SmtpOptions;
  readonly #waiting = new Map<number, (value: unknown) => void>();
  #worker: Worker | undefined;
  #calls = 0;

  constructor(options: SmtpOptions) {
    this.#options = options;
  }

  async deliver(deliver: Sealed): Promise<Delivered> {
    const value = await this.#ask((call) => ({ call, deliver }));
    // The thread ended. Whether the server has the mail is not known.
    return (value as Delivered | undefined) ?? { outcome: 'deferred', reply: { code: 'ETHREAD' } };
  }

  breakOff(id: string): void {
    this.#worker?.postMessage({ breakOff: id } satisfies ThreadCall);
  }

  async check(): Promise<string | undefined> {
    return (await this.#ask((call) => ({ call, check: true }))) as string | undefined;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    const timer = setTimeout(() => worker.terminate(), closeMs);
    await this.#ask((call) => ({ call, close: true }));
    clearTimeout(timer);
    await worker.terminate();
  }

  #ask(message: (call: number) => ThreadCall): Promise<unknown> {
    this.#worker ??= this.#start();
    this.#calls += 1;
    const call = this.#calls;
    this.#worker.postMessage(message(call));
    return new Promise((resolve) => this.#waiting.set(call, resolve));
  }

  #start(): Worker {
    const worker = startThread('smtp-worker', this.#options);
    worker.unref();
    worker.on('message', ({ call, value }: { call: number; value: unknown }) => {
      this.#waiting.get(call)?.(value);
      this.#waiting.delete(call);
    });
    // The next call starts another.
    worker.on('error', () => {});
    worker.on('exit', () => {
      this.#worker = undefined;
      for (const resolve of this.#waiting.values()) resolve(undefined);
      this.#waiting.clear();
    });
    return worker;
  }
}

// As source, in development and tests, it needs tsx in the thread too: Node 20 reads no TypeScript.
function startThread(name: string, workerData: unknown): Worker {
  const isSource = import.meta.url.endsWith('.ts');
  const file = new URL(`./${name}.${isSource ? 'ts' : 'js'}`, import.meta.url);
  if (!isSource) return new Worker(file, { workerData });
  const api = JSON.stringify(import.meta.resolve('tsx/esm/api'));
  const [path, parent] = [JSON.stringify(fileURLToPath(file)), JSON.stringify(import.meta.url)];
  return new Worker(`import(${api}).then(({ tsImport }) => tsImport(${path}, ${parent}))`, { eval: true, workerData });
}
