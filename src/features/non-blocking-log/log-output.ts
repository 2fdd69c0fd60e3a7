import { write, writeSync } from 'node:fs';

/** In UTF-16 units, beside what is being written. */
const maxWaitingLength = 1024 * 1024;
const retryMs = 20;
/** How long the end of the process waits for a reader. */
const maxFlushMs = 500;

/**
 * Writes lines to a file descriptor without ever waiting for it: pino's own destination retries at the end of the process
 * until everything is written, and throws what goes wrong before. Lines wait while the reader of a pipe is slow or a disk
 * is full, up to a limit. Beyond it they are lost and counted.
 */
export class LogOutput {
  readonly #fd: number;
  readonly #stopBlocking: () => void;
  readonly #warn: (text: string) => void;
  readonly #reportLoss: (lines: number) => void;
  #waiting = '';
  /** What was last handed over, without what has been written of it. */
  #chunk = Buffer.alloc(0);
  #state: 'idle' | 'writing' | 'retrying' = 'idle';
  #writingSince = 0;
  #lostLines = 0;
  #hasComplained = false;

  /**
   * @param options.stopBlocking called before each write, since others may have made the descriptor block
   * @param options.warn says what is wrong with the log, elsewhere
   * @param options.reportLoss called once lines can be written again
   */
  constructor(
    fd: number,
    options: { stopBlocking?: () => void; warn: (text: string) => void; reportLoss: (lines: number) => void },
  ) {
    this.#fd = fd;
    this.#stopBlocking = options.stopBlocking ?? (() => {});
    this.#warn = options.warn;
    this.#reportLoss = options.reportLoss;
    process.once('exit', () => this.#flush());
  }

  write(line: string): void {
    if (this.#waiting.length + line.length <= maxWaitingLength) {
      this.#waiting += line;
    } else {
      this.#lostLines += 1;
      this.#complain('is not read fast enough');
    }
    if (this.#state === 'idle') this.#writeNext();
  }

  #writeNext(): void {
    this.#state = 'writing';
    if (this.#chunk.length === 0) this.#takeWaiting();
    if (this.#chunk.length === 0) {
      this.#state = 'idle';
      this.#hasComplained = false;
      return;
    }
    this.#writingSince = performance.now();
    this.#stopBlocking();
    write(this.#fd, this.#chunk, (error, writtenBytes) => {
      if (error) {
        if (!isFull(error)) this.#complain(`can't be written (${error.message})`);
        this.#state = 'retrying';
        setTimeout(() => this.#writeNext(), retryMs).unref();
      } else {
        this.#chunk = this.#chunk.subarray(writtenBytes);
        this.#writeNext();
      }
    });
  }

  #takeWaiting(): void {
    this.#chunk = Buffer.from(this.#waiting);
    this.#waiting = '';
    const lines = this.#lostLines;
    this.#lostLines = 0;
    // After the lines that came before the loss.
    if (lines > 0) this.#reportLoss(lines);
  }

  #complain(problem: string): void {
    if (this.#hasComplained) return;
    this.#hasComplained = true;
    this.#warn(`Latchkey's log ${problem}. Latchkey goes on, and lines that find no room in memory are lost.\n`);
  }

  #flush(): void {
    const now = performance.now();
    // A chunk that is being written is in a thread, which Node waits for: without end where the descriptor blocks.
    if (this.#state === 'writing' && now - this.#writingSince > maxFlushMs) process.kill(process.pid, 'SIGKILL');
    const chunks = this.#state === 'writing' ? [] : [this.#chunk];
    let rest = Buffer.concat([...chunks, Buffer.from(this.#waiting)]);
    const endsAt = now + maxFlushMs;
    while (rest.length > 0 && performance.now() < endsAt) {
      try {
        this.#stopBlocking();
        rest = rest.subarray(writeSync(this.#fd, rest));
      } catch (error) {
        if (!isFull(error)) return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryMs);
      }
    }
  }
}

/** Whether a pipe or socket has no room until its reader reads. */
function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}
