import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Logger } from '../../log.ts';
import { projectDirectory } from '../../project-directory.ts';
import { type Courier, type Delivered, errorWithoutMessage, type LoggedError, type Sealed } from './delivery.ts';
import type { SmtpOptions } from './smtp-client.ts';
import type { ThreadAnswer, ThreadCall } from './smtp-worker.ts';

const closeMs = 300;
/** An idle thread takes some 6 to 10 MB. */
const defaultIdleMs = 60_000;

/** An error of the thread, or the end of the thread before it had answered. */
class ThreadError extends Error {
  readonly code = 'ETHREAD';

  constructor({ type, stack }: LoggedError) {
    super('the mail thread failed');
    this.name = type;
    this.stack = stack;
  }
}

type Pending = { resolve: (value: unknown) => void; reject: (error: ThreadError) => void };

/**
 * Delivers mail in a worker thread. Composing, encrypting and sending mail on the main thread would delay the requests
 * that follow, which would tell a stranger whether an address gets mail (ASVS 6.3.8). The thread ends when it has had
 * nothing to do for a minute, and starts again before the next mail is sent or withheld.
 */
export class SmtpThread implements Courier {
  readonly #options: Omit<SmtpOptions, 'typicalMs'>;
  readonly #log: Logger;
  readonly #pending = new Map<number, Pending>();
  readonly #idleTimer: NodeJS.Timeout;
  #worker: Worker | undefined;
  #typicalMs: number | undefined;
  #calls = 0;

  constructor(options: Omit<SmtpOptions, 'typicalMs'>, log: Logger, idleMs = defaultIdleMs) {
    this.#options = options;
    this.#log = log;
    this.#idleTimer = setTimeout(() => this.#endIdle(), idleMs).unref();
  }

  /** @throws {ThreadError} when the thread fails; whether the server has the mail is not known then */
  async deliver(deliver: Sealed): Promise<Delivered> {
    return (await this.#ask((call) => ({ call, deliver }))) as Delivered;
  }

  prepare(): void {
    this.#ready();
  }

  breakOff(id: string): void {
    this.#worker?.postMessage({ breakOff: id } satisfies ThreadCall);
  }

  /** @throws {ThreadError} */
  async check(isTest = false): Promise<string | undefined> {
    return (await this.#ask((call) => ({ call, check: { isTest } }))) as string | undefined;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    const timer = setTimeout(() => worker.terminate(), closeMs);
    await this.#ask((call) => ({ call, close: true })).catch(() => {});
    clearTimeout(timer);
    await worker.terminate();
  }

  #ask(message: (call: number) => ThreadCall): Promise<unknown> {
    this.#calls += 1;
    const call = this.#calls;
    this.#ready().postMessage(message(call));
    return new Promise((resolve, reject) => this.#pending.set(call, { resolve, reject }));
  }

  #ready(): Worker {
    this.#idleTimer.refresh();
    this.#worker ??= this.#start();
    return this.#worker;
  }

  #endIdle(): void {
    if (this.#pending.size > 0) {
      this.#idleTimer.refresh();
      return;
    }
    const worker = this.#worker;
    // At once, so that a call that comes meanwhile starts another thread.
    this.#worker = undefined;
    void worker?.terminate();
  }

  #start(): Worker {
    const worker = startThread({ ...this.#options, typicalMs: this.#typicalMs });
    worker.unref();
    worker.on('message', (answer: ThreadAnswer) => {
      this.#idleTimer.refresh();
      this.#typicalMs = answer.typicalMs;
      const pending = this.#pending.get(answer.call);
      this.#pending.delete(answer.call);
      if ('error' in answer) pending?.reject(new ThreadError(answer.error));
      else pending?.resolve(answer.value);
    });
    worker.on('error', (error) => {
      this.#log.error({ error: errorWithoutMessage(error) }, 'mail thread failed; the next mail starts another');
    });
    worker.on('exit', () => {
      // An idle thread has been dropped already, and the pending calls are those of its successor.
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      const ended = { type: 'ThreadError', stack: 'the mail thread ended' };
      for (const { reject } of this.#pending.values()) reject(new ThreadError(ended));
      this.#pending.clear();
    });
    return worker;
  }
}

// Node 20 can't run TypeScript, so in development and tests the thread runs a bundle. It is made once for all threads of
// a process, since every one that loaded tsx would take half a second.
let bundle: string | undefined;

function startThread(workerData: SmtpOptions): Worker {
  const isSource = import.meta.url.endsWith('.ts');
  if (!isSource) return new Worker(new URL('dist/features/mail/smtp-worker.js', projectDirectory), { workerData });
  bundle ??= bundleOf(fileURLToPath(new URL('src/features/mail/smtp-worker.ts', projectDirectory)));
  return new Worker(bundle, { eval: true, workerData });
}

function bundleOf(path: string): string {
  const { buildSync }: typeof import('esbuild') = createRequire(import.meta.url)('esbuild');
  const options = { bundle: true, platform: 'node', format: 'cjs', write: false } as const;
  const [code] = buildSync({ ...options, entryPoints: [path] }).outputFiles;
  if (!code) throw new Error(`${path} could not be bundled`);
  return `${code.text}//# sourceURL=${path}`;
}
