import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { basename, delimiter, join, relative, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorReply } from 'redis';
import { withDeadline } from '../redis/deadline.ts';
import { createNode } from '../redis/node.ts';

/** A private Redis, for development and tests. */
export type PrivateRedis = {
  socketPath: string;
  /** Stops it, unless another process is still using it. */
  stop: () => Promise<void>;
};

const programs = ['redis-server', 'valkey-server'];
const startDeadlineMs = 5000;
const stopDeadlineMs = 2000;
/** Longer than a start or a stop can take. */
const lockLifetimeMs = 15_000;
/** The limit on macOS; Linux allows four more. */
const maxSocketPathBytes = 103;
/** Each user of a private Redis holds one connection with this name, so that the last one to leave can tell. */
const presenceName = 'latchkey-presence';

/**
 * Starts a Redis that listens only on a unix socket in this directory, and keeps its append-only file there. One that is
 * already running, because another process uses it or a killed run left it behind, is joined; the last to leave stops it.
 * @throws {Error} when there is no Redis on PATH, or it doesn't start
 */
export async function startPrivateRedis(path: string): Promise<PrivateRedis> {
  const directory = resolve(path);
  const socketPath = shortest(join(directory, 'redis.sock'));
  const presence = await withLock(directory, async () => {
    const server = (await answers(socketPath)) ? undefined : launch(directory);
    return await enter(socketPath, server);
  });
  return {
    socketPath,
    // If somebody has removed the directory, it must not be created again, and there is nobody to wait for.
    stop: () => (existsSync(directory) ? withLock(directory, () => leave(presence)) : leave(presence)),
  };
}

function shortest(path: string): string {
  const relativePath = relative(process.cwd(), path);
  const shorter = relativePath.length < path.length ? relativePath : path;
  if (Buffer.byteLength(shorter) > maxSocketPathBytes) {
    throw new Error(
      `${shorter} is too long for a unix socket. Start Latchkey from a directory closer to it, or set REDIS_URL.`,
    );
  }
  return shorter;
}

/**
 * Runs `work` under a lock on this directory: two Redis servers would take each other's socket, and write to the same
 * file. Each process creates its lock file first and looks for others afterwards, so that of two at once, at least one
 * sees the other and waits. The lock file of a process that was killed doesn't count.
 */
async function withLock<Result>(directory: string, work: () => Promise<Result>): Promise<Result> {
  const giveUpAt = performance.now() + lockLifetimeMs;
  do {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const lock = join(directory, `busy-${process.pid}-${randomUUID()}`);
    writeFileSync(lock, '');
    try {
      if (!isBusy(directory, basename(lock))) return await work();
    } finally {
      rmSync(lock, { force: true });
    }
    await sleep(10 + Math.random() * 40);
  } while (performance.now() < giveUpAt);
  throw new Error(`another process has held the lock on ${directory} for too long`);
}

function isBusy(directory: string, ownLock: string): boolean {
  const others = readdirSync(directory).filter((name) => name.startsWith('busy-') && name !== ownLock);
  const live = others.filter((name) => isLive(join(directory, name)));
  for (const name of others) if (!live.includes(name)) rmSync(join(directory, name), { force: true });
  return live.length > 0;
}

// The age counts too, since the id of a killed process may belong to another one by now.
function isLive(lock: string): boolean {
  const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  return age < lockLifetimeMs && isRunning(Number(basename(lock).split('-')[1]));
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = createConnection(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}

type Launched = { process: ChildProcess; failed: Promise<never> };

function launch(directory: string): Launched {
  const program = findRedis();
  const settings = {
    port: '0',
    dir: directory,
    unixsocket: 'redis.sock', // Relative to `dir`, since the whole path may be too long.
    unixsocketperm: '700',
    appendonly: 'yes',
    save: '',
    logfile: 'redis.log',
  };
  const server = spawn(
    program,
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    // In a process group of its own: Ctrl-C must reach only the app, which needs Redis to finish its requests.
    { detached: true, stdio: 'ignore' },
  );
  server.unref();
  const failed = new Promise<never>((_, fail) => {
    const log = join(directory, 'redis.log');
    server.once('error', (error) => fail(new Error(`${program} did not start: ${error.message}`)));
    server.once('exit', (code) => fail(new Error(`${program} exited with code ${code}; see ${log}`)));
  });
  return { process: server, failed };
}

/**
 * The Redis program on PATH.
 * @throws {Error} when there is none
 */
export function findRedis(): string {
  const path = findOnPath(programs);
  if (path !== undefined) return path;
  throw new Error(
    'there is no redis-server and no valkey-server on PATH. Run `node scripts/setup.mjs redis`, or set REDIS_URL.',
  );
}

/** The first of these programs that is on PATH. */
export function findOnPath(programs: string[]): string | undefined {
  // biome-ignore lint/style/noProcessEnv: PATH belongs to the system; it is no setting of Latchkey
  const directories = (process.env.PATH ?? '').split(delimiter);
  const candidates = programs.flatMap((program) => directories.map((directory) => join(directory, program)));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

type Presence = ReturnType<typeof newPresence>;

function newPresence(socketPath: string) {
  const reconnectStrategy = (retries: number) => Math.min(10 * 2 ** Math.min(retries, 10), 500);
  const presence = createNode({
    name: presenceName,
    disableOfflineQueue: true,
    socket: { path: socketPath, tls: false, reconnectStrategy },
  });
  // Without a listener, a lost connection would end the process. The app's own connection reports it.
  presence.on('error', () => {});
  return presence;
}

async function enter(socketPath: string, server: Launched | undefined): Promise<Presence> {
  const presence = newPresence(socketPath);
  const ready = withDeadline(
    startDeadlineMs,
    presence.connect().then(() => loaded(presence)),
  );
  try {
    await (server ? Promise.race([ready, server.failed]) : ready);
    return presence;
  } catch (error) {
    presence.destroy();
    server?.process.kill();
    throw error;
  }
}

async function loaded(presence: Presence): Promise<void> {
  for (;;) {
    try {
      await presence.ping();
      return;
    } catch (error) {
      if (!(error instanceof ErrorReply && error.message.startsWith('LOADING'))) throw error;
      await sleep(10);
    }
  }
}

async function leave(presence: Presence): Promise<void> {
  if (!presence.isOpen) return;
  try {
    const clients = await withDeadline(stopDeadlineMs, presence.clientList());
    const present = clients.filter((client) => client.name === presenceName);
    // Redis exits instead of answering.
    if (present.length === 1) await withDeadline(stopDeadlineMs, presence.sendCommand(['SHUTDOWN']));
  } catch {
    // It is gone, as intended, or frozen, which the next start deals with.
  }
  presence.destroy();
}
