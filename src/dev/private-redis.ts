import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { basename, delimiter, join, relative, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, ErrorReply } from 'redis';
import { withDeadline } from '../redis/connect.ts';

/** A Redis of our own, for development and tests. */
export type PrivateRedis = {
  socketPath: string;
  /** Stops it, unless another process uses it too. */
  stop: () => Promise<void>;
};

const programs = ['redis-server', 'valkey-server'];
const startDeadlineMs = 5000;
const stopDeadlineMs = 2000;
/** Longer than a start or a stop can take. */
const guardLastsMs = 15_000;
/** What macOS has room for; Linux has four more. */
const maxSocketPathBytes = 103;
/** Each user of a private Redis holds one connection of this name, by which the last to leave knows that it is. */
const presenceName = 'latchkey-presence';

/**
 * Starts a Redis that listens on a unix socket in this directory alone and keeps its data there, append-only.
 * One that a killed run left behind, or that a second process uses, is taken over: the last to leave stops it.
 * @throws {Error} when there is no Redis on PATH, or it does not start
 */
export async function startPrivateRedis(path: string): Promise<PrivateRedis> {
  const directory = resolve(path);
  const socketPath = shortest(join(directory, 'redis.sock'));
  const presence = await alone(directory, async () => {
    const server = (await answers(socketPath)) ? undefined : launch(directory);
    return await enter(socketPath, server);
  });
  return {
    socketPath,
    // Somebody may have removed the directory: it must not come back, and there is nobody to wait for.
    stop: () => (existsSync(directory) ? alone(directory, () => leave(presence)) : leave(presence)),
  };
}

function shortest(path: string): string {
  const relativePath = relative(process.cwd(), path);
  const shorter = relativePath.length < path.length ? relativePath : path;
  if (Buffer.byteLength(shorter) > maxSocketPathBytes) {
    throw new Error(`${shorter} is too long for a unix socket. Start in a directory nearer to it, or set REDIS_URL.`);
  }
  return shorter;
}

/**
 * Does `work` while no other does any for this directory: two Redis servers would steal each other's socket, and
 * write one file. Each who wants to leaves a file first and looks for others' then, so of two at once at least one
 * sees the other, and waits. A file whose process was killed does not count.
 */
async function alone<Result>(directory: string, work: () => Promise<Result>): Promise<Result> {
  const giveUpAt = Date.now() + guardLastsMs;
  do {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const guard = join(directory, `busy-${process.pid}-${randomUUID()}`);
    writeFileSync(guard, '');
    try {
      if (!isBusy(directory, basename(guard))) return await work();
    } finally {
      rmSync(guard, { force: true });
    }
    await sleep(10 + Math.random() * 40);
  } while (Date.now() < giveUpAt);
  throw new Error(`another process has been starting or stopping the Redis in ${directory} for too long`);
}

function isBusy(directory: string, ownGuard: string): boolean {
  const others = readdirSync(directory).filter((name) => name.startsWith('busy-') && name !== ownGuard);
  const live = others.filter((name) => isLive(join(directory, name)));
  for (const name of others) if (!live.includes(name)) rmSync(join(directory, name), { force: true });
  return live.length > 0;
}

// The age counts too, because another process may have the number of the killed one by now.
function isLive(guard: string): boolean {
  const age = Date.now() - (statSync(guard, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  return age < guardLastsMs && isRunning(Number(basename(guard).split('-')[1]));
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
    unixsocket: 'redis.sock', // Relative to `dir`: the whole path may be too long.
    unixsocketperm: '700',
    appendonly: 'yes',
    save: '',
    logfile: 'redis.log',
  };
  const server = spawn(
    program,
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    // Its own process group: Ctrl-C must reach the app alone, which still needs Redis to finish its requests.
    { detached: true, stdio: 'ignore' },
  );
  server.unref();
  const failed = new Promise<never>((_, fail) => {
    const log = join(directory, 'redis.log');
    server.once('error', (error) => fail(new Error(`${program} did not start: ${error.message}`)));
    server.once('exit', (code) => fail(new Error(`${program} ended with code ${code}; see ${log}`)));
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
  // biome-ignore lint/style/noProcessEnv: PATH is where the system looks, not a setting of Latchkey
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
  const presence = createClient({
    name: presenceName,
    disableOfflineQueue: true,
    socket: { path: socketPath, tls: false, reconnectStrategy },
  });
  // Without a listener, a lost connection would end the process; the app's own connection tells of it.
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
    // Redis ends instead of answering.
    if (present.length === 1) await withDeadline(stopDeadlineMs, presence.sendCommand(['SHUTDOWN']));
  } catch {
    // It is gone, as wanted, or frozen, and the next start will see to it.
  }
  presence.destroy();
}
