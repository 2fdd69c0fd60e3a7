// npm run bench:idle -- [--node 20,24] [--starts 15] [--rounds 3] [--settle 90] [--seconds 120]
// What a server costs before anybody visits it: how long it takes to start, and its memory, CPU and Redis commands while
// nothing happens. This version and the previous release, in turn; bare Node starts beside them.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Closers, withCleanup } from '../../scripts/cleanup.ts';
import { findNode } from '../../scripts/nodes.ts';
import { buildPreviousRelease } from '../../scripts/previous-release.ts';
import { median, publish, samples, type Table } from '../bench.ts';
import { cpuSecondsOf, residentBytes } from '../process.ts';
import { type BenchRedis, freePort, startBenchRedis } from '../redis.ts';
import { accepts } from '../servers.ts';

const { values } = parseArgs({
  options: {
    node: { type: 'string', default: '20,24' },
    starts: { type: 'string', default: '15' },
    rounds: { type: 'string', default: '3' },
    // Seconds; by then, threads that nobody needs have ended. The CPU time of one that ends later would be missing.
    settle: { type: 'string', default: '90' },
    // A multiple of the 30 s between two checks of a connection: what they cost is what is measured.
    seconds: { type: 'string', default: '120' },
  },
});
const [starts, rounds, seconds] = [Number(values.starts), Number(values.rounds), Number(values.seconds)];
const signIn = { SIGN_IN: 'trust' };
// feature: email-code
// Nobody listens there, and nobody asks for a mail.
const mail = { SMTP_URL: 'smtp://127.0.0.1:9?tls=optional', MAIL_FROM: 'login@example.com' };
Object.assign(signIn, mail, { SIGN_IN: 'code' });
// end: email-code

type Program = { name: string; cwd: string; flags: string[] };
type Idle = { megabytes: number; cpuPercent: number; commandsPerDay: number };

const project = fileURLToPath(new URL('../..', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'latchkey-bench-'));
try {
  buildPreviousRelease(directory);
  const programs: Program[] = [
    { name: 'this version', cwd: project, flags: [] },
    { name: 'version 0.1', cwd: directory, flags: ['--enable-source-maps'] },
  ];
  const sections: (string | Table)[] = [];
  for (const version of values.node.split(',')) {
    const node = findNode(version);
    // Compiled code is for the Node that has compiled it.
    execFileSync(node.path, ['scripts/bundle.mjs'], { cwd: project, stdio: 'inherit' });
    sections.push(`## Node ${node.version}`, await measure(node.path, programs));
  }
  const how = `${starts} starts in turn; a start ends when the port accepts connections. Idle: ${rounds} processes of each, from ${values.settle} s after the start, over ${seconds} s, with all threads; SIGN_IN=${signIn.SIGN_IN}. Median (least–most).`;
  publish('idle.md', ['# What a server costs before anybody visits it', how, ...sections]);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function measure(node: string, programs: Program[]): Promise<Table> {
  const bareMs: number[] = [];
  const startMs = programs.map((): number[] => []);
  for (let round = 0; round < starts; round += 1) {
    bareMs.push(await milliseconds(() => once(spawn(node, ['-e', '0']), 'exit')));
    for (const [at, program] of programs.entries()) {
      await withServer(node, program, async (server) => void startMs[at]?.push(server.startMs));
    }
  }
  // All at once: together they take less than a tenth of a core.
  const watching = programs.map((program) =>
    Promise.all(Array.from({ length: rounds }, () => withServer(node, program, watch))),
  );
  const idle = await Promise.all(watching);
  const row = (what: string, valuesOf: (at: number) => number[], digits = 0) => [
    what,
    ...programs.map((_, at) => samples(valuesOf(at), digits)),
  ];
  const idleOf = (at: number) => idle[at] ?? [];
  const startOf = (at: number) => startMs[at] ?? [];
  return {
    head: ['what', ...programs.map(({ name }) => name)],
    rows: [
      row('start, ms', startOf),
      row('start, times that of bare Node', (at) => startOf(at).map((ms) => ms / median(bareMs)), 1),
      row('memory, MB', (at) => idleOf(at).map(({ megabytes }) => megabytes)),
      row('CPU, % of a core', (at) => idleOf(at).map(({ cpuPercent }) => cpuPercent), 2),
      row('Redis commands a day', (at) => idleOf(at).map(({ commandsPerDay }) => commandsPerDay)),
    ],
  };
}

type Running = { pid: number; startMs: number; redis: BenchRedis };

/** Runs a server with a Redis of its own until the work is done. */
async function withServer<Result>(
  node: string,
  { cwd, flags }: Program,
  work: (server: Running) => Promise<Result>,
): Promise<Result> {
  const redis = await startBenchRedis();
  const closers: Closers = [redis.stop];
  return withCleanup(closers, async () => {
    const port = await freePort();
    const startedAt = performance.now();
    const server = start([node, ...flags, 'dist/server.js'], cwd, port, redis.url);
    closers.push(() => kill(server));
    while (!(await accepts(port))) {
      if (server.exitCode !== null) throw new Error(`the server in ${cwd} does not start`);
      await sleep(2);
    }
    const startMs = performance.now() - startedAt;
    if (server.pid === undefined) throw new Error('the server has no process');
    return work({ pid: server.pid, startMs, redis });
  });
}

function start([node = '', ...args]: string[], cwd: string, port: number, redisUrl: string): ChildProcess {
  return spawn(node, args, {
    cwd,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...{ PATH: process.env.PATH, NODE_ENV: 'production', LOG_LEVEL: 'error' },
      ...{ PORT: String(port), BASE_URL: `http://127.0.0.1:${port}`, REDIS_URL: redisUrl },
      SESSION_SECRET: 'a secret for the bench of 32 characters and more',
      ...signIn,
    },
  });
}

async function kill(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill('SIGKILL');
  await once(server, 'exit');
}

async function watch({ pid, redis: { client } }: Running): Promise<Idle> {
  await sleep(Number(values.settle) * 1000);
  const commands = async () => Number(/total_commands_processed:(\d+)/.exec(await client.info('stats'))?.[1]);
  const before = { cpuSeconds: cpuSecondsOf(pid), commands: await commands() };
  await sleep(seconds * 1000);
  const cpuSeconds = cpuSecondsOf(pid) - before.cpuSeconds;
  // Without the question itself.
  const ours = (await commands()) - before.commands - 1;
  return {
    megabytes: residentBytes(pid) / 2 ** 20,
    cpuPercent: (100 * cpuSeconds) / seconds,
    commandsPerDay: (ours / seconds) * 86_400,
  };
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
