import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  builtFile,
  connect,
  freePort,
  newDirectory,
  type ProcessOptions,
  type RunningProcess,
  type RunningServer,
  startProcess,
  startServer,
  watchRedis,
} from '../support/process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { Visitor } from '../support/visitor.ts';

const soon = { timeout: 30_000, interval: 50 };

/** Settings with a Redis that outlives all processes of the server. */
async function production() {
  const { url } = await startRedisServer('of-the-operator');
  const SESSION_SECRET = 'a secret of the operator of 32 characters and more';
  return { NODE_ENV: 'production', BASE_URL: 'http://localhost:3000', REDIS_URL: url, SESSION_SECRET };
}

async function startWorkers(
  env: Record<string, string> = {},
  { cwd = newDirectory('workers-'), command }: Pick<ProcessOptions, 'cwd' | 'command'> = {},
): Promise<RunningServer> {
  const server = await startServer({ cwd, env: { WORKERS: '2', ...env }, ...(command && { command }) });
  await expect.poll(() => server.logged('workers are running'), soon).toHaveLength(1);
  return server;
}

/** A server whose processes run this code first. */
function commandWith(code: string): string[] {
  const imports = "import cluster from 'node:cluster'; import { existsSync } from 'node:fs';";
  const preload = `data:text/javascript,${encodeURIComponent(imports + code)}`;
  return [process.execPath, '--import', preload, builtFile('server.js')];
}

// feature: request-log
/** The processes that have answered so far. */
const workersSeen = (server: RunningServer) => new Set(server.logged('request').map(({ pid }) => pid));
// end: request-log

const victimOf = (server: RunningServer) =>
  [server.logged('workers are running')[0]?.workers].flat().map(Number)[0] ?? 0;

/** Opens a page on a connection of its own. */
const open = async (url: string, path = '/login') => {
  // Node leaves a connection unanswered that comes in the moment in which a port is given up.
  const signal = AbortSignal.timeout(15_000);
  const response = await fetch(url + path, { headers: { Connection: 'close' }, signal });
  return { status: response.status, text: await response.text() };
};

test('two processes share a port, a private Redis and a shutdown', async () => {
  const server = await startWorkers();
  const visitor = new Visitor(server.url());
  await visitor.signIn('ann@example.com');
  for (let count = 1; count <= 6; count += 1) {
    // A connection stays with its worker.
    const { text } = await visitor.get('/admin', { headers: { Connection: 'close' } });
    expect(text).toContain('Hello ann@example.com');
  }
  await expect.poll(() => workersSeen(server).size, soon).toBe(2); // feature: request-log
  process.kill(server.pid, 'SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
  expect(await watchRedis(server.cwd)).toBeUndefined();
});

test('a worker that dies is replaced', async () => {
  const server = await startWorkers();
  const victim = victimOf(server);
  process.kill(victim, 'SIGKILL');
  await expect.poll(() => server.logged('worker died'), soon).toMatchObject([{ worker: victim, signal: 'SIGKILL' }]);
  await expect.poll(() => server.logged('worker replaced'), soon).toHaveLength(1);
  expect(new Set(server.logged('listening').map(({ port }) => port)).size).toBe(1);
  expect((await open(server.url())).status).toBe(200);
});

test('all workers may die at once, again and again, and are replaced', async () => {
  const server = await startWorkers(await production());
  for (const replaced of [2, 4]) {
    for (const worker of childrenOf(server)) process.kill(Number(worker), 'SIGKILL');
    await expect.poll(() => server.logged('worker replaced'), soon).toHaveLength(replaced);
  }
  expect((await open(server.url())).status).toBe(200);
});

test('SIGHUP replaces all workers by ones with new settings, and no request fails', async () => {
  const { SESSION_SECRET, ...otherSettings } = await production();
  const cwd = newDirectory('workers-');
  const secret = join(cwd, 'secret');
  writeFileSync(secret, SESSION_SECRET);
  const settings = (name: string) =>
    writeFileSync(join(cwd, '.env'), `SITE_NAME=${name}\nSESSION_SECRET_FILE=${secret}\n`);
  settings('Before');
  const server = await startWorkers({ ...otherSettings, SHUTDOWN_DELAY: '1s' }, { cwd });
  const visitor = new Visitor(server.url());
  await visitor.signIn('ann@example.com');
  const statuses: number[] = [];
  const readiness: string[] = [];
  let isOver = false;
  const load = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      statuses.push((await visitor.copy().get('/admin')).status);
      readiness.push((await open(server.url(), '/readyz')).text);
    }
  });
  expect((await open(server.url())).text).toContain('Before');

  settings('After');
  process.kill(server.pid, 'SIGHUP');
  await expect.poll(() => server.logged('reload: all workers replaced'), soon).toHaveLength(1);
  isOver = true;
  await Promise.all(load);
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(new Set(readiness)).toEqual(new Set(['ok\n']));
  expect(statuses.length).toBeGreaterThan(50);
  expect((await open(server.url())).text).toContain('After');
  expect(server.logged('worker died')).toEqual([]);

  // What can't be understood changes nothing.
  writeFileSync(join(cwd, '.env'), 'SITE_NAM=Wrong\n');
  process.kill(server.pid, 'SIGHUP');
  await expect.poll(() => server.logged('reload refused, and everything stays as it was'), soon).toHaveLength(1);
  const [refused] = server.logged('reload refused, and everything stays as it was');
  expect(refused).toMatchObject({ level: 50, problems: [expect.stringContaining('did you mean SITE_NAME?')] });
  expect(refused).not.toHaveProperty('err');
  expect(server.printed()).not.toContain("can't start");
  expect((await open(server.url())).text).toContain('After');
}, 90_000);

test('a SIGHUP during a reload is followed by one more, and others with it are not', async () => {
  const server = await startWorkers(await production());
  process.kill(server.pid, 'SIGHUP');
  await expect.poll(() => server.logged('reload: replacing all workers'), soon).toHaveLength(1);
  for (let count = 1; count <= 5; count += 1) {
    process.kill(server.pid, 'SIGHUP');
    await open(server.url());
  }
  await expect.poll(() => server.logged('reload: all workers replaced'), soon).toHaveLength(2);
  process.kill(server.pid, 'SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
  expect(server.logged('reload: replacing all workers')).toHaveLength(2);
}, 90_000);

/** Workers whose settings are in `.env`, so that a reload may change them. */
async function startWithFile(settings: Record<string, string>) {
  const cwd = newDirectory('workers-');
  const write = (changed: Record<string, string>) => {
    const lines = Object.entries({ ...settings, ...changed }).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(cwd, '.env'), lines.join(''));
  };
  write({});
  const command = ['env', '-u', 'PORT', '-u', 'WORKERS', process.execPath, builtFile('server.js')];
  const server = await startWorkers({}, { cwd, command });
  const reload = (changed: Record<string, string>) => {
    write(changed);
    process.kill(server.pid, 'SIGHUP');
  };
  return { server, reload };
}

test('a reload takes over a changed PORT, and warns of what needs a restart', async () => {
  const changedPort = await freePort();
  const { server, reload } = await startWithFile({ PORT: String(await freePort()), WORKERS: '2' });
  const warning = () => server.logged('reload: a change of these settings needs a restart').at(-1);
  const old = server.url();
  const unchanged = () =>
    server.logged('reload: the settings are as before; a change in the environment needs a restart');
  // feature: metrics
  reload({ METRICS_PORT: String(await freePort()) });
  await expect.poll(warning, soon).toMatchObject({ level: 40, settings: ['METRICS_PORT'] });
  await expect.poll(() => server.logged('reload: all workers replaced'), soon).toHaveLength(1);
  // end: metrics
  reload({ PORT: String(changedPort), WORKERS: '3', SHUTDOWN_DELAY: '3s' });
  await expect.poll(warning, soon).toMatchObject({ level: 40, settings: ['WORKERS', 'SHUTDOWN_DELAY'] });
  await expect.poll(() => server.logged('listening').map(({ port }) => port), soon).toContain(changedPort);
  await expect.poll(() => open(old).catch(() => undefined), soon).toBeUndefined();
  expect((await open(`http://127.0.0.1:${changedPort}`)).status).toBe(200);
  expect(unchanged()).toEqual([]);
  reload({ PORT: String(changedPort), WORKERS: '3', SHUTDOWN_DELAY: '3s' });
  await expect.poll(unchanged, soon).toMatchObject([{ level: 30 }]);
});

test('a worker that cannot start at a reload is logged with the reason, and nothing else is printed', async () => {
  const taken = new URL((await startServer()).url()).port;
  const { server, reload } = await startWithFile({ PORT: String(await freePort()), WORKERS: '2' });
  const printed = () =>
    server
      .printed()
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('{'));
  // Each worker says for itself that it is ready.
  await expect.poll(printed, soon).toHaveLength(2);
  const before = printed();
  reload({ PORT: taken });
  const stopped = () => server.logged('reload stopped, and the other workers stay as they were');
  await expect.poll(stopped, soon).toMatchObject([{ level: 50, problems: [expect.stringContaining('EADDRINUSE')] }]);
  expect(stopped()[0]).not.toHaveProperty('err');
  expect(printed()).toEqual(before);
  expect((await open(server.url())).status).toBe(200);
});

test('a connection that is on its way to a worker which is being replaced is answered by another', async () => {
  // On a busy machine: messages reach the primary late, so it goes on handing connections over to a worker that no longer
  // listens, and a worker is not heard of for a while before it ends.
  const late = `
    const { ChildProcess } = await import('node:child_process');
    const { emit } = ChildProcess.prototype;
    if (cluster.isPrimary) ChildProcess.prototype.emit = function (name, ...rest) {
      if (!/message/i.test(String(name))) return emit.call(this, name, ...rest);
      setTimeout(() => emit.call(this, name, ...rest), 200);
      return true;
    };
    const { exit } = process;
    if (cluster.isWorker) process.exit = (code) => {
      const endsAt = Date.now() + 400;
      while (Date.now() < endsAt);
      exit(code);
    };`;
  const server = await startWorkers({}, { command: commandWith(late) });
  let isOver = false;
  let answered = 0;
  const load = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      expect((await open(server.url(), '/livez')).text).toBe('ok\n');
      answered += 1;
    }
  });
  process.kill(server.pid, 'SIGHUP');
  await expect.poll(() => server.logged('reload: all workers replaced'), soon).toHaveLength(1);
  isOver = true;
  await Promise.all(load);
  expect(answered).toBeGreaterThan(10);
});

test('a shutdown during a reload waits for the worker that is being replaced', async () => {
  const server = await startWorkers();
  const retiring = victimOf(server);
  const head = 'POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n';
  // Connections go to the workers in turn, so each of the two gets an unfinished request.
  for (const { socket, received } of [await connect(server.url()), await connect(server.url())]) {
    socket.write('GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await expect.poll(received).toMatch(/ 404 /);
    socket.write(`${head}{`);
  }
  process.kill(server.pid, 'SIGHUP');
  const closing = () => server.logged('closing').map(({ pid }) => pid);
  await expect.poll(closing, soon).toEqual([retiring]);
  process.kill(server.pid, 'SIGTERM');
  // It gives the request 5 s.
  expect(await server.ended).toEqual({ code: 0, signal: null });
  expect(server.logged('closed').map(({ pid }) => pid)).toContain(retiring);
});

test('a worker that is stuck does not outlive the others', async () => {
  const server = await startWorkers();
  const stuck = victimOf(server);
  process.kill(stuck, 'SIGSTOP');
  process.kill(server.pid, 'SIGTERM');
  expect(await server.ended).toEqual({ code: 1, signal: null });
  // What has ended has no program, even if nobody has asked for its exit code.
  await expect.poll(() => existsSync(`/proc/${stuck}/exe`), soon).toBe(false);
});

/** Workers don't ask for what they inherit while the file `hold` is in their directory, unless `go` is. */
const heldCommand = () =>
  commandWith(`if (cluster.isWorker) {
    const send = process.send.bind(process);
    process.send = async (message, ...others) => {
      while (typeof message === 'string' && existsSync('hold') && !existsSync('go')) await new Promise((done) => setTimeout(done, 10));
      return send(message, ...others);
    };
  }`);

/** The processes that the primary has started and that still run. */
const childrenOf = ({ pid }: RunningProcess): string[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').match(/\d+/g) ?? [];

/** Starts two workers, and holds back every worker that comes after them. */
async function startHolding() {
  const cwd = newDirectory('workers-');
  const server = await startWorkers({}, { cwd, command: heldCommand() });
  const before = childrenOf(server);
  writeFileSync(join(cwd, 'hold'), '');
  return {
    server,
    killWorkers() {
      for (const worker of [server.logged('workers are running')[0]?.workers].flat())
        process.kill(Number(worker), 'SIGKILL');
    },
    /** The workers that are held back. */
    held: () => childrenOf(server).filter((child) => !before.includes(child)),
    /** Lets a reload that is under way finish, and sees that there are as many workers as before it. */
    async finishReload() {
      writeFileSync(join(cwd, 'go'), '');
      const reloads = () => server.logged('reload: all workers replaced');
      await expect.poll(reloads, soon).toHaveLength(1);
      await expect.poll(() => server.logged('worker replaced'), soon).toHaveLength(1);
      // By the end of another one, a worker too many is among those that run.
      process.kill(server.pid, 'SIGHUP');
      await expect.poll(reloads, soon).toHaveLength(2);
      expect(childrenOf(server)).toHaveLength(before.length);
    },
  };
}

test('a SIGHUP while the first workers start replaces them once they run', async () => {
  const cwd = newDirectory('workers-');
  writeFileSync(join(cwd, 'hold'), '');
  const env = { ...(await production()), PORT: '0', SIGN_IN: 'trust', SHUTDOWN_DELAY: '1s', WORKERS: '2' };
  const server = startProcess({ cwd, env, command: heldCommand() });
  await expect.poll(() => childrenOf(server), soon).not.toEqual([]);
  process.kill(server.pid, 'SIGHUP');
  writeFileSync(join(cwd, 'go'), '');
  await expect.poll(() => server.logged('reload: all workers replaced'), soon).toHaveLength(1);
  expect(childrenOf(server)).toHaveLength(2);
});

test('a worker that dies while a reload starts its successor is replaced by that one alone', async () => {
  const { server, killWorkers, finishReload } = await startHolding();
  process.kill(server.pid, 'SIGHUP');
  await expect.poll(() => server.logged('reload: replacing all workers'), soon).toHaveLength(1);
  killWorkers();
  await expect.poll(() => server.logged('worker died'), soon).toHaveLength(2);
  await finishReload();
});

test('a worker that dies while it and its successor start is replaced by that one alone', async () => {
  const { server, killWorkers, held, finishReload } = await startHolding();
  killWorkers();
  await expect.poll(held, soon).toHaveLength(2);
  const both = held();
  process.kill(server.pid, 'SIGHUP');
  await expect.poll(() => server.logged('reload: replacing all workers'), soon).toHaveLength(1);
  for (const worker of both) process.kill(Number(worker), 'SIGKILL');
  await expect.poll(() => server.logged('worker not replaced'), soon).toHaveLength(1);
  await finishReload();
});

test('a message to a worker that has just died harms nobody', async () => {
  const strike = `process.on('SIGUSR2', () => {
    const [worker] = Object.values(cluster.workers);
    worker.process.kill('SIGKILL');
    // All its threads have ended, and the primary had no time to notice.
    while (readdirSync('/proc/' + worker.process.pid + '/task').length > 1);
    worker.send('news');
  });`;
  const command = commandWith(`import { readdirSync } from 'node:fs'; if (cluster.isPrimary) ${strike}`);
  const server = await startWorkers({}, { command });
  process.kill(server.pid, 'SIGUSR2');
  await expect.poll(() => server.logged('worker replaced'), soon).toHaveLength(1);
  expect(server.logged('closing after an uncaught error')).toEqual([]);
  expect((await open(server.url())).status).toBe(200);
});

// feature: env-file
test('a misspelt setting is warned of once, and again at a reload', async () => {
  const server = await startWorkers({ SITE_NAM: 'Wrong' });
  const warnings = () => server.logged('a variable in the environment looks like a misspelt setting');
  expect(warnings()).toHaveLength(1);
  process.kill(server.pid, 'SIGHUP');
  await expect.poll(() => server.logged('reload: all workers replaced'), soon).toHaveLength(1);
  expect(warnings()).toHaveLength(2);
});
// end: env-file

test('what is wrong with the settings of workers stops the start, and is said once', async () => {
  const port = await freePort();
  const first = await startServer({ env: { PORT: String(port) } });
  const second = startServer({ env: { PORT: String(port), WORKERS: '3' } });
  await expect(second).rejects.toThrow(/^(?!.*Stop.*Stop).*Stop the other program, or set PORT\./s);
  await expect(second).rejects.toThrow(/^(?!.*can't start.*can't start).*Latchkey can't start: bind EADDRINUSE/s);
  expect((await open(first.url())).status).toBe(200);
  await expect(startServer({ env: { WORKERS: 'many' } })).rejects.toThrow('WORKERS takes auto, or a number');
});

// feature: metrics
test('one port has the metrics of all workers, added up', async () => {
  const metricsPort = await freePort();
  const server = await startWorkers({ METRICS_PORT: String(metricsPort) });
  for (let count = 1; count <= 10; count += 1) await open(server.url());
  await expect.poll(() => workersSeen(server).size, soon).toBe(2); // feature: request-log
  const { text } = await open(`http://127.0.0.1:${metricsPort}`, '/metrics');
  expect(text).toMatch(/^latchkey_request_seconds_count\{[^}]*route="\/login"[^}]*\} 10$/m);
  expect(text).toMatch(/^latchkey_build_info\{[^}]*\} 1$/m);
  expect(text).toMatch(/^latchkey_sessions 0$/m);
  process.kill(server.pid, 'SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
});

test('counters never fall: those of workers that have ended are kept', async () => {
  const metricsPort = await freePort();
  const server = await startWorkers({ METRICS_PORT: String(metricsPort) });
  const visit = async (times: number) => {
    for (let count = 1; count <= times; count += 1) await open(server.url());
  };
  const counted = async () => {
    const { text } = await open(`http://127.0.0.1:${metricsPort}`, '/metrics');
    return /^latchkey_request_seconds_count\{[^}]*route="\/login",status="200"[^}]*\} (\d+)$/m.exec(text)?.[1];
  };
  await visit(10);
  expect(await counted()).toBe('10');
  process.kill(victimOf(server), 'SIGKILL');
  await expect.poll(() => server.logged('worker replaced'), soon).toHaveLength(1);
  expect(await counted()).toBe('10');
  // A worker that is replaced reports what it has counted since it was last asked.
  await visit(5);
  process.kill(server.pid, 'SIGHUP');
  await expect.poll(() => server.logged('reload: all workers replaced'), soon).toHaveLength(1);
  expect(await counted()).toBe('15');
  process.kill(server.pid, 'SIGHUP');
  await expect.poll(() => server.logged('reload: all workers replaced'), soon).toHaveLength(2);
  await visit(1);
  expect(await counted()).toBe('16');
});

test('a worker that ends before it has answered does not hold up a reading of the metrics', async () => {
  const metricsPort = await freePort();
  const server = await startWorkers({ METRICS_PORT: String(metricsPort) });
  const frozen = victimOf(server);
  process.kill(frozen, 'SIGSTOP');
  const reading = open(`http://127.0.0.1:${metricsPort}`, '/metrics');
  // The connections are accepted in turn, so the question has been asked by then.
  expect((await open(`http://127.0.0.1:${metricsPort}`, '/nowhere')).status).toBe(404);
  process.kill(frozen, 'SIGKILL');
  expect((await reading).status).toBe(200);
});

test('metrics can be read while a worker starts, which still gets what it inherits', async () => {
  const metricsPort = await freePort();
  const cwd = newDirectory('workers-');
  const server = await startWorkers({ METRICS_PORT: String(metricsPort) }, { cwd, command: heldCommand() });
  writeFileSync(join(cwd, 'hold'), '');
  process.kill(server.pid, 'SIGHUP');
  await expect.poll(() => server.logged('reload: replacing all workers'), soon).toHaveLength(1);
  const read = async () => (await open(`http://127.0.0.1:${metricsPort}`, '/metrics')).text;
  await expect.poll(read, soon).toMatch(/^latchkey_build_info\{[^}]*\} 1$/m);
  writeFileSync(join(cwd, 'go'), '');
  await expect.poll(() => server.logged('reload: all workers replaced'), soon).toHaveLength(1);
  // In development, all workers share the private Redis and the secret of the primary.
  const visitor = new Visitor(server.url());
  await visitor.signIn('ann@example.com');
  for (let count = 1; count <= 4; count += 1) {
    expect((await visitor.get('/admin', { headers: { Connection: 'close' } })).status).toBe(200);
  }
});

test('a worker that does not answer costs a reading of the metrics, and nothing else', async () => {
  const metricsPort = await freePort();
  const server = await startWorkers({ METRICS_PORT: String(metricsPort) });
  const read = () => open(`http://127.0.0.1:${metricsPort}`, '/metrics');
  const frozen = victimOf(server);
  process.kill(frozen, 'SIGSTOP');
  expect((await read()).status).toBe(503);
  process.kill(frozen, 'SIGCONT');
  await expect.poll(() => server.logged('metrics could not be read')).toMatchObject([{ level: 40 }]);
  expect((await read()).status).toBe(200);
  expect((await open(server.url())).status).toBe(200);
});
// end: metrics
