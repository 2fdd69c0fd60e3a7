// Vitest processes that stay warm, so that a mutant costs as long as its tests take.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { removeLeftovers } from '../../test/support/leftovers.ts';
import { type Job, type Result, receive, send, type Task } from './protocol.ts';

/** Longer than the tests of a task may take: what is not done by then hangs in a loop. */
const maxTaskMs = 60_000;

type Process = { child: ChildProcess; directory: string };
type Connection = { socket: Socket; results: AsyncGenerator<Result> };

export class Worker {
  readonly #code: Record<string, string>;
  #process: Process | undefined;
  #connection: Promise<Connection> | undefined;
  #isStale = false;

  /** @param code the instrumented sources, by their paths */
  constructor(code: Record<string, string>) {
    this.#code = Object.fromEntries(Object.entries(code).map(([file, text]) => [resolve(file), text]));
  }

  /**
   * Runs a test file. A test that hangs costs the process, and the next task starts another.
   * @param patience multiplies all time limits
   */
  async run(task: Task, patience = 1): Promise<Result> {
    this.#connection ??= this.#start();
    const { socket, results } = await this.#connection;
    const timeout = task.timeoutMs === undefined ? {} : { timeoutMs: patience * task.timeoutMs };
    send(socket, { ...task, ...timeout, reload: task.reload || this.#isStale });
    // Constants keep what a mutant made of them.
    this.#isStale = task.reload && task.mutant !== undefined;
    const hung = setTimeout(() => this.stop(), patience * maxTaskMs);
    const { value } = await results.next();
    clearTimeout(hung);
    if (!value || value.isTimeout) this.stop();
    const nothing = { reachedByLoading: [], reachedOutsideTests: [], reachedByTests: {}, testMs: {} };
    return value ?? { failure: 'the process hung, or ended', isTimeout: true, ...nothing };
  }

  stop(): void {
    if (!this.#process) return;
    const { child, directory } = this.#process;
    this.#process = undefined;
    this.#connection = undefined;
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
    removeLeftovers(directory);
  }

  async #start(): Promise<Connection> {
    const directory = mkdtempSync(join(tmpdir(), 'latchkey-mutation-'));
    const job: Job = { socket: join(directory, 'driver.sock'), code: this.#code };
    const jobFile = join(directory, 'job.json');
    writeFileSync(jobFile, JSON.stringify(job));
    const server = createServer();
    const connected = new Promise<Socket>((done) => server.once('connection', done));
    server.listen(job.socket);
    const args = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'scripts/mutation/vitest.config.ts'];
    const child = spawn(process.execPath, args, {
      env: { ...process.env, LATCHKEY_TEST_RUN: directory, LATCHKEY_MUTATION_JOB: jobFile },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#process = { child, directory };
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
    const ended = new Promise<never>((_, fail) => {
      child.once('exit', () => fail(new Error(`Vitest ended:\n${printed}`)));
    });
    const socket = await Promise.race([connected, ended]);
    ended.catch(() => {});
    server.close();
    return { socket, results: receive<Result>(socket) };
  }
}
