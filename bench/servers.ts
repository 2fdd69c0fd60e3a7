import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from './redis.ts';

export const email = 'somebody@example.com';

const modules = {
  latchkey: '../dist/server.js',
  textbook: 'peers/textbook.mjs',
  fastify: 'peers/fastify.mjs',
  'fastify, tuned': 'peers/fastify-tuned.mjs',
  'no session': 'peers/no-session.mjs',
  'iron-session': 'peers/iron-session.mjs',
  'plain http': 'peers/plain-http.mjs',
};

export type ServerName = keyof typeof modules;
export const serverNames = Object.keys(modules) as ServerName[];
/**
 * These greet a constant address. They get a dummy cookie all the same: Latchkey sends browsers without one a different
 * page, with the style sheet in it.
 */
const withoutSignIn = new Set<string>(['no session', 'plain http']);
const startDeadlineMs = 30_000;
/** Pages are edited; peers whose copy is far off would no longer do the same work. */
const maxPageDifference = 0.05;

export type RunningServer<Name = ServerName> = {
  name: Name;
  url: string;
  pid: number;
  /** All time that the process has used so far, user and system, of all its threads. */
  cpuMicroseconds: () => Promise<number>;
  /** What is left after a full garbage collection; the server must have been started with `--expose-gc`. */
  heapUsed: () => Promise<number>;
  startProfile: () => Promise<unknown>;
  stopProfile: () => Promise<unknown>;
  /** Signs in over HTTP. @returns the Cookie header, a dummy where the server has no sessions */
  signIn: (address?: string) => Promise<string>;
  stop: (signal?: NodeJS.Signals) => Promise<void>;
};

export type StartOptions = { node: string; redisUrl: string; nodeFlags?: string[]; env?: Record<string, string> };

/** Starts a server in a process of its own, on the chosen Node, as in production. */
export function startServer(name: ServerName, options: StartOptions): Promise<RunningServer> {
  return startModule(name, new URL(modules[name], import.meta.url), options);
}

/** The same for a server that is not one of those. */
export async function startModule<Name extends string>(
  name: Name,
  module: URL,
  options: StartOptions,
): Promise<RunningServer<Name>> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = fork(fileURLToPath(module), {
    execPath: options.node,
    execArgv: ['--import', new URL('probe.mjs', import.meta.url).href, ...(options.nodeFlags ?? [])],
    // Away from an operator's `.env`.
    cwd: tmpdir(),
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'production',
      PORT: String(port),
      BASE_URL: url,
      REDIS_URL: options.redisUrl,
      SESSION_SECRET: 'a secret for the bench of 32 characters and more',
      SIGN_IN: 'trust',
      SIGN_INS_PER_DAY: '999999', // feature: rate-limits
      LOG_LEVEL: 'error',
      BENCH_EMAIL: email,
      ...options.env,
    },
  });
  await listening(child, name, port);

  async function ask(question: string): Promise<unknown> {
    child.send(question);
    const [message] = await once(child, 'message');
    return message.answer;
  }
  return {
    name,
    url,
    pid: child.pid ?? 0,
    cpuMicroseconds: async () => Number(await ask('cpuMicroseconds')),
    heapUsed: async () => Number(await ask('heapUsed')),
    startProfile: () => ask('startProfile'),
    stopProfile: () => ask('stopProfile'),
    signIn: async (address = email) => (withoutSignIn.has(name) ? 'visited=yes' : await signIn(url, address)),
    async stop(signal = 'SIGKILL') {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      await once(child, 'exit');
    },
  };
}

async function listening(child: ChildProcess, name: string, port: number): Promise<void> {
  const giveUpAt = Date.now() + startDeadlineMs;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || Date.now() > giveUpAt) throw new Error(`${name} did not start`);
    await sleep(20);
  }
}

/** Whether somebody listens on this port. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = createConnection(port, '127.0.0.1');
    socket.once('connect', () => done(true)).once('error', () => done(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function signIn(url: string, address: string): Promise<string> {
  const response = await fetch(`${url}/login`, {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ email: address }),
  });
  if (response.status !== 303) throw new Error(`sign-in answered ${response.status}: ${await response.text()}`);
  return response.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
}

/** @throws if one of these pages is much larger than another */
export function requireSamePage(bytes: number[]): void {
  if (Math.max(...bytes) > Math.min(...bytes) * (1 + maxPageDifference)) {
    throw new Error(`the pages differ in size: ${bytes.join(', ')} bytes; bring bench/peers/views up to date`);
  }
}
