import { type ChildProcess, spawn } from 'node:child_process';
import { inject, vi } from 'vitest';
import { findRedis } from '../../src/dev/private-redis.ts';
import { createNode } from '../../src/redis/node.ts';
import { afterwards } from './afterwards.ts';
import { noteProcess } from './leftovers.ts';
import { freePort, newDirectory } from './process.ts';

export type RedisServer = {
  url: string;
  port: number;
  /** Starts it again, on the same port. */
  start: () => Promise<void>;
  /** Ends it as a crash would. */
  kill: () => Promise<void>;
  /** `SIGSTOP` lets it neither answer nor close a connection, until `SIGCONT`. */
  signal: (signal: 'SIGSTOP' | 'SIGCONT') => void;
  /** Asks it something over a connection of the test's own. */
  client: <Answer>(ask: (client: Client) => Promise<Answer>) => Promise<Answer>;
};

type Client = ReturnType<typeof newClient>;

const startedWithinMs = 15_000;

/**
 * A Redis such as an operator runs, on a port and with a password; stopped after the file's last test.
 * @param configFile for a Sentinel, which writes into it
 */
export async function startRedisServer(
  password: string,
  args: string[] = [],
  configFile?: string,
): Promise<RedisServer> {
  const port = await freePort();
  const url = `redis://:${password}@127.0.0.1:${port}`;
  const directory = newDirectory('redis-server-');
  let server: ChildProcess | undefined;

  async function client<Answer>(ask: (client: Client) => Promise<Answer>): Promise<Answer> {
    const connection = newClient(url);
    connection.on('error', () => {});
    await connection.connect();
    try {
      return await ask(connection);
    } finally {
      connection.destroy();
    }
  }

  async function start(): Promise<void> {
    const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--requirepass', password];
    const started = spawn(findRedis(), [...(configFile ? [configFile] : []), ...settings, ...args], {
      stdio: 'ignore',
    });
    server = started;
    noteProcess(inject('runDirectory'), started);
    const ping = () => {
      if (started.exitCode === null) return client((asking) => asking.ping());
      throw new Error(`it ended with code ${started.exitCode}`);
    };
    await vi.waitFor(ping, { timeout: startedWithinMs, interval: 20 });
  }

  async function kill(): Promise<void> {
    const killed = server;
    if (!killed || killed.exitCode !== null || killed.signalCode !== null) return;
    const gone = new Promise((done) => killed.once('exit', done));
    killed.kill('SIGKILL');
    await gone;
  }

  afterwards(kill);
  await start();
  return { url, port, start, kill, signal: (signal) => server?.kill(signal), client };
}

function newClient(url: string) {
  return createNode({ url, socket: { reconnectStrategy: false } });
}
