import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { freePort, newDirectory, startProcess, startServer, watchRedis } from '../support/process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { Visitor } from '../support/visitor.ts';

const secret = 'a secret of the operator of 32 characters and more';
const production = {
  NODE_ENV: 'production',
  BASE_URL: 'http://localhost:3000',
  SESSION_SECRET: secret,
  SIGN_IN: 'trust',
};

function dataOf(cwd: string): string {
  return join(cwd, '.data/redis');
}

describe('without REDIS_URL', () => {
  test('says where to open it, and a visitor is still signed in after a restart', async () => {
    const first = await startServer();
    const url = first.url().replace('127.0.0.1', 'localhost');
    await expect.poll(first.printed).toContain(`Latchkey is ready: open ${url}\n`);
    expect(existsSync(join(dataOf(first.cwd), 'redis.sock'))).toBe(true);
    const visitor = new Visitor(first.url());
    await visitor.signIn('ann@example.com');
    process.kill(first.pid, 'SIGTERM');
    expect(await first.ended).toEqual({ code: 0, signal: null });

    const second = await startServer({ cwd: first.cwd });
    const admin = await visitor.copy(second.url()).get('/admin');
    expect(admin.text).toContain('Hello ann@example.com');
  });

  // ASVS 13.3.2: whoever reads it can sign a session cookie.
  test('keeps its session secret where its own user alone can read it', async () => {
    const { cwd } = await startServer();
    expect(statSync(join(cwd, '.data/session-secret')).mode & 0o077).toBe(0);
  });

  test('a normal stop leaves no redis-server behind', async () => {
    const server = await startServer();
    const redis = await watchRedis(server.cwd);
    expect(redis?.isRunning()).toBe(true);
    process.kill(server.pid, 'SIGINT');
    await server.ended;
    await expect.poll(() => redis?.isRunning()).toBe(false);
    expect(existsSync(join(dataOf(server.cwd), 'redis.sock'))).toBe(false);
  });

  test('so does a stop while Redis is being started', async () => {
    const server = startProcess({ env: { PORT: '0' } });
    await vi.waitUntil(() => existsSync(dataOf(server.cwd)), { timeout: 10_000, interval: 1 });
    process.kill(server.pid, 'SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(await watchRedis(server.cwd)).toBeUndefined();
  });

  test('the Redis of a killed run is taken over, and stopped at the end', async () => {
    const killed = await startServer();
    const visitor = new Visitor(killed.url());
    await visitor.signIn('ann@example.com');
    const orphan = await watchRedis(killed.cwd);
    process.kill(killed.pid, 'SIGKILL');
    await killed.ended;
    expect(orphan?.isRunning()).toBe(true);

    const next = await startServer({ cwd: killed.cwd });
    expect((await watchRedis(next.cwd))?.pid).toBe(orphan?.pid);
    expect((await visitor.copy(next.url()).get('/admin')).status).toBe(200);
    process.kill(next.pid, 'SIGTERM');
    await next.ended;
    await expect.poll(() => orphan?.isRunning()).toBe(false);
  });

  test('three that start at once in one directory share its Redis and its secret, until the last one leaves', async () => {
    const cwd = newDirectory('shared-');
    const servers = await Promise.all([startServer({ cwd }), startServer({ cwd }), startServer({ cwd })]);
    const [first, ...others] = servers;
    const visitor = new Visitor(first.url());
    await visitor.signIn('ann@example.com');
    const redis = await watchRedis(cwd);
    for (const { url } of others) expect((await visitor.copy(url()).get('/admin')).status).toBe(200);

    process.kill(first.pid, 'SIGTERM');
    await first.ended;
    for (const { url } of others) expect((await visitor.copy(url()).get('/admin')).status).toBe(200);
    for (const { pid } of others) process.kill(pid, 'SIGTERM');
    expect(await Promise.all(others.map(({ ended }) => ended))).toEqual([
      { code: 0, signal: null },
      { code: 0, signal: null },
    ]);
    await expect.poll(() => redis?.isRunning()).toBe(false);
  });
});

describe('with REDIS_URL', () => {
  test('uses it, and starts and keeps nothing of its own', async () => {
    const redis = await startRedisServer('of-the-operator');
    const server = await startServer({ env: { REDIS_URL: redis.url } });
    await new Visitor(server.url()).signIn('ann@example.com');
    expect(existsSync(dataOf(server.cwd))).toBe(false);
    process.kill(server.pid, 'SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });

    // The operator's Redis is not ours to stop, and a restart finds the session there.
    const again = await startServer({ env: { REDIS_URL: redis.url, ...production } });
    expect(existsSync(join(again.cwd, '.data'))).toBe(false);
    expect((await new Visitor(again.url()).get('/readyz')).status).toBe(200);
  });

  test('production tells that Redis is away, and ends with a failure within 5 s', async () => {
    const startedAt = performance.now();
    const away = `redis://:of-the-operator@127.0.0.1:${await freePort()}`;
    const server = startProcess({ env: { ...production, PORT: '0', REDIS_URL: away } });
    expect(await server.ended).toEqual({ code: 1, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect(server.printed()).toMatch(/^Latchkey can't start: Redis could not be reached .*ECONNREFUSED/m);
    expect(server.printed()).not.toContain('of-the-operator');
    expect(server.printed()).not.toContain('    at ');
  });
});

describe('settings', () => {
  test('are told all at once when they are wrong, and nothing starts', async () => {
    const server = startProcess({ env: { NODE_ENV: 'production', PORT: 'http', LOG_LEVEL: 'loud' } });
    expect(await server.ended).toEqual({ code: 1, signal: null });
    const printed = server.printed();
    for (const name of ['PORT', 'LOG_LEVEL', 'REDIS_URL', 'SESSION_SECRET', 'BASE_URL']) {
      expect(printed).toMatch(new RegExp(`^ {2}- ${name} `, 'm'));
    }
    expect(printed.match(/can't start/g)).toHaveLength(1);
    expect(existsSync(join(server.cwd, '.data'))).toBe(false);
  });
});

describe('a port that is taken', () => {
  test('is named with the way out, and no Redis is left behind', async () => {
    const first = await startServer();
    const { port } = new URL(first.url());
    const second = startProcess({ env: { PORT: port } });
    expect(await second.ended).toEqual({ code: 1, signal: null });
    expect(second.printed()).toContain(
      `Latchkey can't start: listen EADDRINUSE: address already in use 127.0.0.1:${port}. Stop the other program, or set PORT.`,
    );
    expect(existsSync(dataOf(second.cwd))).toBe(true);
    expect(await watchRedis(second.cwd)).toBeUndefined();
  });

  test('by another Latchkey of this directory: that one keeps its Redis', async () => {
    const first = await startServer();
    const second = startProcess({ cwd: first.cwd, env: { PORT: new URL(first.url()).port } });
    expect(await second.ended).toEqual({ code: 1, signal: null });
    expect((await new Visitor(first.url()).get('/readyz')).status).toBe(200);
  });
});
