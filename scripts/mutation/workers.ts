// Vitest processes that stay warm, so that a mutant costs as long as its tests take.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { removeLeftovers } from '../../test/support/leftovers.ts';
import { type Job, type Result, receive, send, type Task } from './protocol.ts';

/** Longer than any test or hook may take: what is not done by then hangs in a loop. */
const maxTaskMs = 60_000;

export class Worker {
  readonly #code: Record<string, string>;
  #isStale = false;
  #running: { child: ChildProcess; directory: string; socket: Socket; results: AsyncGenerator<Result> } | undefined;

  /** @param code the instrumented sources, by their paths */
  constructor(code: Record<string, string>) {
    this.#code = Object.fromEntries(Object.entries(code).map(([file, text]) => [resolve(file), text]));
  }

  /** Runs a test file; one that hangs costs the process, and the next task starts another. */
  async run(task: Task): Promise<Result> {
    this.#running ??= await start(this.#code);
    const { socket, results } = this.#running;
    send(socket, { ...task, reload: task.reload || this.#isStale });
    // Constants keep what a mutant made of them.
    this.#isStale = task.reload && task.mutant !== undefined;
    const hung = setTimeout(() => this.stop(), maxTaskMs);
    const { value } = await results.next();
    clearTimeout(hung);
    if (value) return value;
    this.stop();
    const nothing = { reachedByLoading: [], reachedOutsideTests: [], reachedByTests: {} };
    return { failure: 'the process hung, or ended', isTimeout: true, ...nothing };
  }

  stop(): void {
    if (!this.#running) return;
    const { child, directory, socket } = this.#running;
    this.#running = undefined;
    socket.destroy();
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
    removeLeftovers(directory);
  }
}

async function start(code: Record<string, string>) {
  const directory = mkdtempSync(join(tmpdir(), 'latchkey-mutation-'));
  const job: Job = { socket: join(directory, 'driver.sock'), code };
  const jobFile = join(directory, 'job.json');
  writeFileSync(jobFile, JSON.stringify(job));
  const server = createServer();
  const connected = new Promise<Socket>((done) => server.once('connection', done));
  await new Promise<void>((done) => server.listen(job.socket, done));
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'scripts/mutation/vitest.config.ts'];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, LATCHKEY_TEST_RUN: directory, LATCHKEY_MUTATION_JOB: jobFile },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
  const tooEarly = new Promise<never>((_, fail) =>
    child.once('exit', () => fail(new Error(`Vitest ended:\n${printed}`))),
  );
  const socket = await Promise.race([connected, tooEarly]);
  tooEarly.catch(() => {});
  server.close();
  return { child, directory, socket, results: receive<Result>(socket) };
}
