import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  symlinkSync,
} from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from 'redis';
import { inject, vi } from 'vitest';
import { afterwards } from './afterwards.ts';
import { noteProcess } from './leftovers.ts';
import { newLogFile } from './secrets.ts';

export type ProcessOptions = {
  cwd?: string;
  env?: Record<string, string>;
  /** Default: the server, from a build that the run's tests share. */
  command?: string[];
  /** Where it prints, instead of into a file of its own; `printed` and `logged` find nothing then. */
  output?: Socket;
};

type Ending = { code: number | null; signal: NodeJS.Signals | null };

export type RunningProcess = {
  cwd: string;
  pid: number;
  /** Everything it has printed so far. */
  printed: () => string;
  /** The lines of its log so far, all or those with this message. A line may be written after the response to its request. */
  logged: (message?: string) => Record<string, unknown>[];
  ended: Promise<Ending>;
};

export type RunningServer = RunningProcess & {
  /** Where it listens; after a reload, where it listens now. */
  url: () => string;
};

const project = fileURLToPath(new URL('../..', import.meta.url));
const readyWithinMs = 40_000;
const builtWithinMs = 120_000;

/** A process with a clean environment and a directory of its own; killed after the file's last test. */
export function startProcess(options: ProcessOptions = {}): RunningProcess {
  const [program = '', ...args] = options.command ?? [process.execPath, builtFile('server.js')];
  const cwd = options.cwd ?? newDirectory('process-');
  const output = newLogFile('process');
  const file = openSync(output, 'a');
  // A process group of its own, as a terminal gives to what is started in it.
  const child = spawn(program, args, {
    cwd,
    env: { ...systemEnvironment(), ...options.env },
    stdio: ['ignore', options.output ?? file, options.output ?? file],
    detached: true,
  });
  closeSync(file);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} did not start`);
  noteProcess(inject('runDirectory'), child);
  const ended = new Promise<Ending>((done) => {
    child.once('exit', (code, signal) => done({ code, signal }));
  });
  afterwards(async () => {
    killGroup(pid, 'SIGKILL');
    await ended;
    await stopRedis(cwd);
  });

  const printed = () => readFileSync(output, 'utf8');
  return {
    cwd,
    pid,
    printed,
    logged: (message) =>
      printed()
        .split('\n')
        // Half of the last one may still be on its way.
        .slice(0, -1)
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line))
        .filter(({ msg }) => message === undefined || msg === message),
    ended,
  };
}

/**
 * The server as it runs on a machine whose clock is ahead of ours, or behind it.
 * @public for the tests of features
 */
export function startServerAhead(minutes: number, options: ProcessOptions = {}): Promise<RunningServer> {
  const preload = new URL('./clock-ahead.mjs', import.meta.url).href;
  return startServer({
    ...options,
    command: [process.execPath, '--import', preload, builtFile('server.js')],
    env: { ...options.env, CLOCK_AHEAD_MS: String(minutes * 60_000) },
  });
}

/**
 * The real server in a process of its own, listening on a free port.
 * @param options.patienceMs for a command that builds first
 */
export async function startServer(options: ProcessOptions & { patienceMs?: number } = {}): Promise<RunningServer> {
  const server = startProcess({ ...options, env: { PORT: '0', SIGN_IN: 'trust', ...options.env } });
  const url = () => {
    const port = server.logged('listening').at(-1)?.port;
    if (port === undefined) throw new Error(`it does not listen yet, and has printed:\n${server.printed()}`);
    return `http://127.0.0.1:${port}`;
  };
  const tooEarly = server.ended.then(({ code }) => {
    throw new Error(`it ended with code ${code}, and has printed:\n${server.printed()}`);
  });
  await Promise.race([vi.waitFor(url, { timeout: options.patienceMs ?? readyWithinMs, interval: 20 }), tooEarly]);
  // What it does later is for the test to see.
  tooEarly.catch(() => {});
  return { ...server, url };
}

/**
 * A file of `dist/` as `npm run build` makes it, without checking types and without declarations. Whoever needs it first
 * builds it, and the others wait.
 */
export function builtFile(name: string): string {
  const build = join(inject('runDirectory'), 'build');
  const lock = `${build}.lock`;
  const startedAt = performance.now();
  while (!existsSync(build)) {
    if (performance.now() - startedAt > builtWithinMs) throw new Error(`the build takes too long; see ${lock}`);
    if (!tryToMakeDirectory(lock)) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
      continue;
    }
    try {
      if (!existsSync(build)) makeBuild(build);
    } finally {
      rmdirSync(lock);
    }
  }
  return join(build, 'dist', name);
}

/** @returns whether it was not there yet */
function tryToMakeDirectory(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function makeBuild(build: string): void {
  const draft = newDirectory('build-');
  const options = ['--noCheck', '--declaration', 'false', '--outDir', join(draft, 'dist')];
  const args = ['-p', join(project, 'tsconfig.build.json'), ...options];
  const { status, stdout } = spawnSync(join(project, 'node_modules/.bin/tsc'), args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the build failed:\n${stdout}`);
  const bundling = spawnSync(process.execPath, [join(project, 'scripts/bundle.mjs'), join(draft, 'dist')]);
  if (bundling.status !== 0) throw new Error(`bundling failed:\n${bundling.stderr}`);
  for (const name of ['node_modules', 'package.json', 'views', 'public']) {
    symlinkSync(join(project, name), join(draft, name));
  }
  renameSync(draft, build);
}

// Only what has nothing to do with Latchkey's settings.
export function systemEnvironment(): NodeJS.ProcessEnv {
  const names =
    /^(PATH|HOME|USER|LANG|TMPDIR|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS|(npm_config_)?(https?_|no_?)proxy|npm_config_(registry|cache))$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => names.test(name)));
}

/** As Ctrl-C in a terminal reaches everything that was started there. */
export function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** An empty directory that goes with this run of the tests. */
export function newDirectory(prefix: string): string {
  return mkdtempSync(join(inject('runDirectory'), prefix));
}

/** The project as a clone has it, with its dependencies installed. */
export function copyProject(): string {
  const copy = newDirectory('project-');
  const left = new Set(
    ['node_modules', 'dist', 'coverage', '.data', '.env', '.git'].map((name) => join(project, name)),
  );
  cpSync(project, copy, { recursive: true, filter: (path) => !left.has(path) });
  symlinkSync(join(project, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

export type WatchedRedis = {
  pid: number;
  /** Known by a connection, which outlives everything but the process: one that nobody reaps keeps its number. */
  isRunning: () => boolean;
};

/** The private Redis of a server that runs in this directory; undefined when there is none. */
export async function watchRedis(cwd: string): Promise<WatchedRedis | undefined> {
  const redis = await connectToRedis(cwd);
  if (!redis) return undefined;
  const pid = Number(/^process_id:(\d+)/m.exec(await redis.info('server'))?.[1]);
  afterwards(() => {
    if (redis.isOpen) redis.destroy();
  });
  return { pid, isRunning: () => redis.isReady };
}

async function stopRedis(cwd: string): Promise<void> {
  const redis = await connectToRedis(cwd);
  await redis?.sendCommand(['SHUTDOWN']).catch(() => {});
}

async function connectToRedis(cwd: string) {
  const absolute = join(cwd, '.data/redis/redis.sock');
  if (!existsSync(absolute)) return undefined;
  const [path = absolute] = [absolute, relative(process.cwd(), absolute)].sort((a, b) => a.length - b.length);
  const redis = createClient({ socket: { path, tls: false, reconnectStrategy: false } });
  redis.on('error', () => {});
  try {
    return await redis.connect();
  } catch (error) {
    // Of a process that was killed the file stays; one that ends just now takes it along.
    if (['ENOENT', 'ECONNREFUSED'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Below those that systems give to connections, and each worker has its own: at most one per processor, or up to 12. */
const mostWorkers = Math.max(12, availableParallelism());
const portsEach = Math.floor(12_000 / mostWorkers);
const portsOfWorker = {
  from: 20_000 + portsEach * (Number(process.env.VITEST_POOL_ID) % mostWorkers),
  count: portsEach,
};
let portsGiven = Math.floor(Math.random() * portsOfWorker.count);

/** A port that nobody listens on, and that is given to nobody else. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = portsOfWorker.from + (portsGiven % portsOfWorker.count);
    portsGiven += 1;
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((done) => {
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}

export type Connection = {
  socket: Socket;
  /** Everything that came back so far. */
  received: () => string;
  closed: Promise<void>;
};

/** A bare connection, for what no HTTP client would do. */
export async function connect(url: string, send = ''): Promise<Connection> {
  const { hostname, port } = new URL(url);
  const socket = createConnection(Number(port), hostname);
  await new Promise<void>((done, fail) => {
    socket.once('error', fail);
    socket.once('connect', done);
  });
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  socket.on('error', () => {});
  const closed = new Promise<void>((done) => socket.once('close', () => done()));
  socket.write(send);
  return { socket, received: () => received, closed };
}
