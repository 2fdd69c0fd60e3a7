import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { afterwards } from '../support/afterwards.ts';
import { newPipe } from '../support/pipe.ts';
import { builtFile, freePort, newDirectory, type RunningProcess, startProcess } from '../support/process.ts';
import { type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { fill, openReader } from './pipe.ts';

const soon = { timeout: 30_000, interval: 50 };
/** 1 s of SHUTDOWN_DELAY, and the 9 s that docs/running.md promises. */
const endsWithinMs = 10_000;
let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedisServer('of-the-operator');
});

/** A server in production that a shell starts with this command, in which `$server` stands for the program. */
async function startBy(command: string, env: Record<string, string> = {}, output?: Socket) {
  const port = await freePort();
  const production = {
    NODE_ENV: 'production',
    BASE_URL: 'http://localhost:3000',
    SESSION_SECRET: 'a secret of the operator of 32 characters and more',
    REDIS_URL: redis.url,
    SHUTDOWN_DELAY: '1s',
    SIGN_IN: 'trust',
    PORT: String(port),
  };
  const server = startProcess({
    command: ['sh', '-c', command],
    env: { ...production, server: `${process.execPath} ${builtFile('server.js')}`, ...env },
    ...(output && { output }),
  });
  const open = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
  await expect.poll(() => open('/readyz').catch(() => undefined), soon).toBe(200);
  return { server, open };
}

async function expectToEnd(server: RunningProcess): Promise<void> {
  const startedAt = performance.now();
  process.kill(server.pid, 'SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
  expect(performance.now() - startedAt).toBeLessThan(endsWithinMs);
}

const settings: { env: Record<string, string>; processes: number }[] = [
  { env: {}, processes: 1 },
  { env: { WORKERS: '2' }, processes: 3 }, // feature: workers
];

describe.each(settings)('with $env', ({ env, processes }) => {
  test('a full disk under the log is said once, requests are answered, and SIGTERM works', async () => {
    const { server, open } = await startBy('exec $server >/dev/full', env);
    for (let count = 1; count <= 20; count += 1) expect(await open('/login')).toBe(200);
    await expectToEnd(server);
    const complaints = server.printed().trim().split('\n');
    // Each process has a log of its own.
    expect(complaints).toHaveLength(processes);
    for (const complaint of complaints) expect(complaint).toMatch(/^Latchkey's log can't be written \(ENOSPC/);
  });

  test('a reader of the log that has stopped holds up neither requests nor the end', async () => {
    const pipe = newPipe();
    const { read } = openReader(pipe);
    fill(pipe);
    const { server, open } = await startBy(`exec $server >${pipe}`, env);
    for (let count = 1; count <= 20; count += 1) expect(await open('/login')).toBe(200);
    await expectToEnd(server);
    expect(read().trim()).toBe('');
  });

  test('a journal that has stopped reading its socket holds up neither requests nor the end', async () => {
    const { server, open } = await startBy('exec $server', env, await newJournal());
    for (let count = 1; count <= 1000; count += 1) expect(await open('/login')).toBe(200);
    if (processes === 1) return expectToEnd(server);
    process.kill(server.pid, 'SIGTERM');
    // The end is a SIGKILL if a worker makes the socket block just as a line is written.
    await expect.poll(() => isRunning(server.pid), { timeout: endsWithinMs, interval: 50 }).toBe(false);
  });
});

test('a terminal that is stopped holds up neither requests nor the end', async () => {
  const { server, open } = await startBy('exec script -q -e -c "exec $server" /dev/null');
  await expect.poll(() => server.logged('listening'), soon).toHaveLength(1);
  const pid = Number(server.logged('listening')[0]?.pid);
  afterwards(() => {
    if (isRunning(pid)) process.kill(pid, 'SIGKILL');
  });
  process.kill(server.pid, 'SIGSTOP');
  for (let count = 1; count <= 500; count += 1) expect(await open('/login')).toBe(200);
  process.kill(pid, 'SIGTERM');
  await expect.poll(() => isRunning(pid), { timeout: endsWithinMs, interval: 50 }).toBe(false);
  process.kill(server.pid, 'SIGCONT');
  expect(await server.ended).toEqual({ code: 0, signal: null });
});

// Whoever shares a socket can make it block, and no other process can prevent that.
test('a descriptor that blocks does not hold up the end, either', async () => {
  const pipe = newPipe();
  openReader(pipe);
  fill(pipe);
  const module = JSON.stringify(new URL('../../src/features/non-blocking-log/log-output.ts', import.meta.url).href);
  const code = `
    const { LogOutput } = await import(${module});
    const { openSync } = await import('node:fs');
    new LogOutput(openSync('${pipe}', 'w'), { warn() {}, reportLoss() {} }).write('line');
    setTimeout(() => process.exit(), 1000);`;
  const command = [process.execPath, '--import', import.meta.resolve('tsx'), '--input-type=module', '-e', code];
  expect(await startProcess({ command }).ended).toEqual({ code: null, signal: 'SIGKILL' });
});

test('what is said of the log on standard error does not hold up anything where both are one full pipe', async () => {
  const pipe = newPipe();
  openReader(pipe);
  fill(pipe);
  const module = new URL('../../src/features/non-blocking-log/non-blocking-log.ts', import.meta.url).href;
  const code = `
    import('${module}').then(({ createNonBlockingLogger }) => {
      const log = createNonBlockingLogger('info');
      for (let count = 0; count < 10_000; count += 1) log.info('x'.repeat(200));
      setTimeout(() => process.exit(), 100);
    });`;
  const start = `exec ${process.execPath} --import ${import.meta.resolve('tsx')} -e "$code" >${pipe} 2>&1`;
  const { ended } = startProcess({ command: ['sh', '-c', start], env: { code } });
  expect(await ended).toEqual({ code: 0, signal: null });
});

/** A socket that nobody reads. */
async function newJournal(): Promise<Socket> {
  const path = join(newDirectory('journal-'), 'socket');
  const journal = createServer({ pauseOnConnect: true }).listen(path);
  const socket = connect(path);
  const [[reader]] = await Promise.all([once(journal, 'connection'), once(socket, 'connect')]);
  afterwards(() => {
    socket.destroy();
    reader.destroy();
    journal.close();
  });
  return socket;
}

/** Whether a process of this number is there, and is not merely waited for. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
