import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { createConnection } from 'node:net';
import { delimiter, join, relative, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'redis';

/** A Redis of our own, for development and tests. */
export type PrivateRedis = {
  socketPath: string;
  /** Stops it, unless somebody else uses it too. */
  stop: () => Promise<void>;
};

const programs = ['redis-server', 'valkey-server'];
const startDeadlineMs = 5000;

/**
 * Starts a Redis that listens on a unix socket in `directory` alone and keeps its data there, append-only.
 * One that a killed run left behind, or that a second process uses, is taken over: the last to leave stops it.
 * @throws {Error} when there is no Redis on PATH, or it does not start
 */
export async function startPrivateRedis(directory: string): Promise<PrivateRedis> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const socketPath = shortest(join(resolve(directory), 'redis.sock'));
  if (!(await answers(socketPath))) await launch(directory, socketPath);
  return { socketPath, stop: () => stop(socketPath) };
}

// A unix socket's path has room for about 100 bytes, which a deep checkout can exceed.
function shortest(path: string): string {
  const relativePath = relative(process.cwd(), path);
  return relativePath.length < path.length ? relativePath : path;
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

async function launch(directory: string, socketPath: string): Promise<void> {
  const program = findOnPath();
  const server = spawn(
    program,
    // The socket is named relative to `--dir`, for the same reason as above.
    ['--port', '0', '--unixsocket', 'redis.sock', '--unixsocketperm', '700', '--dir', resolve(directory)].concat([
      '--appendonly',
      'yes',
      '--save',
      '',
      '--daemonize',
      'no',
      '--logfile',
      'redis.log',
    ]),
    // Its own process group: Ctrl-C must reach the app alone, which still needs Redis to finish its requests.
    { detached: true, stdio: 'ignore' },
  );
  let failure: string | undefined;
  server.once('error', (error) => {
    failure = error.message;
  });
  server.once('exit', (code) => {
    failure = `it ended with code ${code}`;
  });
  server.unref();

  const giveUpAt = Date.now() + startDeadlineMs;
  while (!(await answers(socketPath))) {
    if (failure === undefined && Date.now() > giveUpAt) failure = 'it did not listen in time';
    if (failure !== undefined) {
      throw new Error(`${program} did not start: ${failure}; see ${join(directory, 'redis.log')}`);
    }
    await sleep(10);
  }
}

function findOnPath(): string {
  // biome-ignore lint/style/noProcessEnv: PATH is where the system looks, not a setting of Latchkey
  const directories = (process.env.PATH ?? '').split(delimiter);
  for (const program of programs) {
    for (const directory of directories) {
      const path = join(directory, program);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {}
    }
  }
  throw new Error(
    'there is no redis-server and no valkey-server on PATH. Run `node scripts/setup.mjs redis`, or set REDIS_URL.',
  );
}

async function stop(socketPath: string): Promise<void> {
  const client = createClient({ socket: { path: socketPath, tls: false, reconnectStrategy: false } });
  client.on('error', () => {});
  try {
    await client.connect();
    const clients = await client.clientList({ TYPE: 'NORMAL' });
    if (clients.length > 1) {
      await client.close();
      return;
    }
    // Redis closes the connection instead of answering, and that is the answer.
    await client.sendCommand(['SHUTDOWN']).catch(() => {});
    while (await answers(socketPath)) await sleep(5);
  } catch {
    // It is gone already.
  }
  if (client.isOpen) client.destroy();
}
