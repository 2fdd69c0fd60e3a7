import { beforeAll, describe, expect, test, vi } from 'vitest';
import { afterwards } from '../support/afterwards.ts';
import {
  type Connection,
  connect,
  killGroup,
  type RunningServer,
  startProcess,
  startServer,
  watchRedis,
} from '../support/process.ts';
import { type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { keepOutOfLogs } from '../support/secrets.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { Visitor } from '../support/visitor.ts';

const inOrder = { code: 0, signal: null };
let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedisServer('of-the-operator');
});

function startInProduction(SHUTDOWN_DELAY = '1s'): Promise<RunningServer> {
  const env = {
    NODE_ENV: 'production',
    BASE_URL: 'http://localhost:3000',
    SESSION_SECRET: 'a secret of the operator of 32 characters and more',
    REDIS_URL: redis.url,
    SHUTDOWN_DELAY,
  };
  return startServer({ env });
}

/** The first half of a sign-in, and the rest of it. */
async function halfSignIn(url: string): Promise<{ connection: Connection; rest: string }> {
  const body = 'email=ann%40example.com';
  const head = `POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n`;
  return { connection: await connect(url, head + body.slice(0, 10)), rest: body.slice(10) };
}

/** The session id that came back; empty when nobody was signed in. */
function takeSession(connection: Connection): string {
  const [, sessionId = ''] = /^set-cookie: session=s%3A([^.;]+)/im.exec(connection.received()) ?? [];
  if (sessionId !== '') keepOutOfLogs(sessionId);
  return sessionId;
}

/** A connection that has had its answer, and is kept. */
async function keepAlive(url: string): Promise<Connection> {
  const connection = await connect(url, 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await expect.poll(connection.received).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  return connection;
}

async function isListening(url: string): Promise<boolean> {
  try {
    (await connect(url)).socket.destroy();
    return true;
  } catch {
    return false;
  }
}

async function secondsToEnd(server: RunningServer): Promise<number> {
  const startedAt = performance.now();
  expect(await server.ended).toEqual(inOrder);
  return (performance.now() - startedAt) / 1000;
}

describe.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('on %s', (signal) => {
  test('readiness turns to 503, idle connections are closed, an open sign-in completes, and the process exits', async () => {
    const server = await startInProduction();
    const kept = await Promise.all(Array.from({ length: 100 }, () => keepAlive(server.url())));
    // Browsers connect ahead of their first request.
    const silent = await Promise.all(Array.from({ length: 10 }, () => connect(server.url())));
    const { connection, rest } = await halfSignIn(server.url());
    process.kill(server.pid, signal);
    await expect.poll(async () => (await new Visitor(server.url()).get('/readyz')).text).toBe('closing\n');
    await expect.poll(() => isListening(server.url()), { timeout: 5000 }).toBe(false);
    await Promise.all([...kept, ...silent].map(({ closed }) => closed));

    connection.socket.write(rest);
    await connection.closed;
    expect(connection.received()).toMatch(/^HTTP\/1\.1 303 See Other\r\n/);
    expect(takeSession(connection)).not.toBe('');
    expect(await secondsToEnd(server)).toBeLessThan(10);
    expect(server.logged('signed in')).toHaveLength(1);
    expect(server.logged('closed')).toHaveLength(1);
  });
});

describe('closing', () => {
  test('in production goes on serving for SHUTDOWN_DELAY, and says at /readyz that it closes', async () => {
    const server = await startInProduction('2s');
    const readiness = async () => (await new Visitor(server.url()).get('/readyz').catch(() => undefined))?.status;
    const startedAt = performance.now();
    process.kill(server.pid, 'SIGTERM');
    await expect.poll(readiness).toBe(503);
    expect((await new Visitor(server.url()).get('/')).status).toBe(200);
    expect(await connectionsTo(redis)).toBeGreaterThan(0);
    const answers = new Set([await readiness()]);
    await vi.waitUntil(async () => answers.add(await readiness()).has(undefined), { timeout: 5000 });
    expect(performance.now() - startedAt).toBeGreaterThan(1900);
    expect([...answers]).toEqual([503, undefined]);
    await expect.poll(() => connectionsTo(redis)).toBe(0);
  });

  test('cuts off a request that does not end, and still takes less than 10 s', async () => {
    const server = await startInProduction();
    await halfSignIn(server.url());
    process.kill(server.pid, 'SIGTERM');
    expect(await secondsToEnd(server)).toBeLessThan(10);
    expect(server.logged('closed connections whose requests did not end')).toMatchObject([{ connections: 1 }]);
  });

  test('continues when the same signal comes twice at once, as it does from npm', async () => {
    const server = await startServer();
    process.kill(server.pid, 'SIGINT');
    process.kill(server.pid, 'SIGINT');
    expect(await server.ended).toEqual(inOrder);
    expect(await watchRedis(server.cwd)).toBeUndefined();
  });

  test('keeps its private Redis until the end, even on Ctrl-C, which reaches every process of the terminal', async () => {
    const server = await startServer();
    const { connection, rest } = await halfSignIn(server.url());
    killGroup(server.pid, 'SIGINT');
    await expect.poll(() => isListening(server.url()), { timeout: 5000 }).toBe(false);
    connection.socket.write(rest);
    await connection.closed;
    expect(takeSession(connection)).not.toBe('');
    expect(await server.ended).toEqual(inOrder);
  });

  test('is cut short by repeated signals', async () => {
    const server = await startServer();
    await halfSignIn(server.url());
    const startedAt = performance.now();
    const asking = setInterval(() => killGroup(server.pid, 'SIGINT'), 100);
    expect(await server.ended).toEqual({ code: 1, signal: null });
    clearInterval(asking);
    expect(performance.now() - startedAt).toBeGreaterThan(1000);
    expect(performance.now() - startedAt).toBeLessThan(4000);
  });

  test('is graceful, and a failure, after an uncaught error', async () => {
    const fault = 'process.once("SIGUSR2", () => { Promise.reject(new Error("planted")); })';
    const server = await startServer({ env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURI(fault)}` } });
    process.kill(server.pid, 'SIGUSR2');
    expect(await server.ended).toEqual({ code: 1, signal: null });
    expect(server.logged('closing after an uncaught error')).toMatchObject([
      { level: 60, err: { message: 'planted' } },
    ]);
    expect(await watchRedis(server.cwd)).toBeUndefined();
  });

  test('does not wait for a Redis that is frozen', async () => {
    const server = await startInProduction();
    redis.signal('SIGSTOP');
    process.kill(server.pid, 'SIGTERM');
    expect(await secondsToEnd(server)).toBeLessThan(5);
    redis.signal('SIGCONT');
  });

  test('does not wait for a Redis that is away', async () => {
    const server = await startInProduction();
    await redis.kill();
    await expect.poll(() => server.logged('Redis lost')).toHaveLength(1);
    process.kill(server.pid, 'SIGTERM');
    expect(await secondsToEnd(server)).toBeLessThan(5);
  });
});

async function connectionsTo({ client }: RedisServer): Promise<number> {
  return client((asking) => asking.clientList()).then((clients) => clients.length - 1);
}

test('a signal during the start ends the process before it listens, whatever Redis does meanwhile', async () => {
  const { port } = redis;
  const link = await startTcpProxy({ host: '127.0.0.1', port });
  afterwards(link.close);
  link.hold();
  const REDIS_URL = redis.url.replace(String(port), String(link.port));
  const server = startProcess({ env: { REDIS_URL, PORT: '0', SIGN_IN: 'trust' } });
  // Once it connects, it hears signals.
  await expect.poll(link.accepted, { timeout: 20_000 }).toBeGreaterThan(0);
  process.kill(server.pid, 'SIGTERM');
  await expect.poll(() => server.logged('closing'), { timeout: 5000 }).toHaveLength(1);
  link.release();
  expect(await server.ended).toEqual(inOrder);
  expect(server.printed()).not.toMatch(/listening|is ready/);
});
