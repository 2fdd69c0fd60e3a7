import { existsSync, linkSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createClient } from 'redis';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type PrivateRedis, startPrivateRedis } from '../../src/dev/private-redis.ts';
import { newDirectory, startServer } from '../support/process.ts';

const started: PrivateRedis[] = [];

async function start(directory: string): Promise<PrivateRedis> {
  const redis = await startPrivateRedis(directory);
  started.push(redis);
  return redis;
}

afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(started.splice(0).map((redis) => redis.stop()));
});

/** One of several users of a Redis, with a connection of its own. */
async function connect({ socketPath }: PrivateRedis) {
  const client = createClient({ socket: { path: socketPath, tls: false, reconnectStrategy: false } });
  client.on('error', () => {});
  await client.connect();
  return client;
}

async function processId(redis: PrivateRedis): Promise<string | undefined> {
  const client = await connect(redis);
  const info = await client.info('server');
  client.destroy();
  return /^process_id:(\d+)/m.exec(info)?.[1];
}

function locksIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.startsWith('busy-'));
}

describe('a private Redis', () => {
  test('listens only on its socket, which only its owner can use, and keeps its data', async () => {
    const directory = join(newDirectory('private-'), 'made/on/the/way');
    const first = await start(directory);
    expect(statSync(directory).mode & 0o077).toBe(0);
    expect(statSync(join(directory, 'redis.sock')).mode & 0o077).toBe(0);
    const client = await connect(first);
    expect(await client.configGet('port')).toEqual({ port: '0' });
    await client.set('kept', 'yes');
    client.destroy();
    await first.stop();

    const again = await connect(await start(directory));
    expect(await again.get('kept')).toBe('yes');
    again.destroy();
  });

  test('when several processes start at once, one starts it and all use it', async () => {
    const directory = newDirectory('private-');
    const users = await Promise.all(Array.from({ length: 8 }, () => start(directory)));
    const processIds = await Promise.all(users.map(processId));
    expect(new Set(processIds).size).toBe(1);
    expect(locksIn(directory)).toEqual([]);
  });

  test('is stopped by the last process to leave, even when all leave at once', async () => {
    const directory = newDirectory('private-');
    const [first, ...others] = [await start(directory), await start(directory), await start(directory)];
    const client = await connect(first);
    await first.stop();
    expect(await client.ping()).toBe('PONG');
    await Promise.all(others.map((user) => user.stop()));
    await expect.poll(() => client.isOpen).toBe(false);
    expect(readdirSync(directory).sort()).toEqual(['appendonlydir', 'redis.log']);
  });

  test('is stopped despite connections of other clients, and can be stopped twice', async () => {
    const redis = await start(newDirectory('private-'));
    const client = await connect(redis);
    await redis.stop();
    await expect.poll(() => client.isOpen).toBe(false);
    await redis.stop();
  });

  test('a process that starts while another one stops is never left without it', async () => {
    const directory = newDirectory('private-');
    let current = await start(directory);
    for (let round = 0; round < 10; round += 1) {
      const [next] = await Promise.all([start(directory), current.stop()]);
      expect(await processId(next)).toBeDefined();
      current = next;
    }
  });

  test('is found again by its users after it was away', async () => {
    const directory = newDirectory('private-');
    const first = await start(directory);
    const client = await connect(first);
    await client.sendCommand(['SHUTDOWN']).catch(() => {});
    const second = await start(directory);
    const again = await connect(second);
    await expect.poll(async () => (await again.clientList()).length).toBe(3);
    await second.stop();
    expect(await again.ping()).toBe('PONG');
    await first.stop();
    await expect.poll(() => again.isOpen).toBe(false);
  });
});

describe('what a killed run leaves behind', () => {
  test('does not block the next start: its lock file and its socket', async () => {
    const directory = newDirectory('private-');
    // No process has this number: it is larger than the largest.
    writeFileSync(join(directory, 'busy-99999999-left'), '');
    await leaveSocket(join(directory, 'redis.sock'));
    const startedAt = performance.now();
    await start(directory);
    expect(performance.now() - startedAt).toBeLessThan(12_000);
    expect(locksIn(directory)).toEqual([]);
  });

  test('does not block it either when another process has its id by now', async () => {
    const directory = newDirectory('private-');
    const lock = join(directory, `busy-${process.ppid}-left`);
    writeFileSync(lock, '');
    const longAgo = Date.now() / 1000 - 60;
    utimesSync(lock, longAgo, longAgo);
    const startedAt = performance.now();
    await start(directory);
    expect(performance.now() - startedAt).toBeLessThan(12_000);
  });

  test('the lock of a process that is starting it right now is waited for', async () => {
    const directory = newDirectory('private-');
    const lock = join(directory, `busy-${process.ppid}-working`);
    writeFileSync(lock, '');
    const startedAt = performance.now();
    const soonOld = Date.now() / 1000 - 14;
    utimesSync(lock, soonOld, soonOld);
    await start(directory);
    expect(performance.now() - startedAt).toBeGreaterThan(900);
  });
});

describe('a private Redis that cannot start', () => {
  test('names the ways to get a Redis when there is none on PATH', async () => {
    vi.stubEnv('PATH', newDirectory('path-'));
    await expect(start(newDirectory('private-'))).rejects.toThrow(
      /no redis-server .* Run `node scripts\/setup.mjs redis`, or set REDIS_URL/,
    );
  });

  test('names its log when Redis cannot read the data, and releases the lock', async () => {
    const directory = newDirectory('private-');
    const data = join(directory, 'appendonlydir');
    mkdirSync(data);
    writeFileSync(join(data, 'appendonly.aof.manifest'), 'no manifest');
    await expect(start(directory)).rejects.toThrow(/exited with code 1; see .*redis\.log$/);
    expect(locksIn(directory)).toEqual([]);
    rmSync(data, { recursive: true });
    await start(directory);
  });

  test('says that the path is too long for a unix socket', async () => {
    const deep = join(newDirectory('private-'), 'a-long-name-of-a-directory/'.repeat(5));
    await expect(start(deep)).rejects.toThrow(
      /too long for a unix socket\. Start Latchkey from a directory closer to it/,
    );
  });

  test('starts there all the same from a directory close to it', async () => {
    const deep = join(newDirectory('private-'), 'a-long-name-of-a-directory/'.repeat(5));
    mkdirSync(deep, { recursive: true });
    const server = await startServer({ cwd: deep });
    expect(existsSync(join(deep, '.data/redis/redis.sock'))).toBe(true);
    process.kill(server.pid, 'SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
  });
});

// As a killed process does, which can't remove it.
async function leaveSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(`${path}-original`, done));
  linkSync(`${path}-original`, path);
  await new Promise((done) => server.close(done));
}
