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

function guardsIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.startsWith('busy-'));
}

describe('a private Redis', () => {
  test('listens on its socket alone, for its owner alone, and keeps what was written', async () => {
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

  test('of several that start at once, one starts it and all use it', async () => {
    const directory = newDirectory('private-');
    const users = await Promise.all(Array.from({ length: 8 }, () => start(directory)));
    const processIds = await Promise.all(users.map(processId));
    expect(new Set(processIds).size).toBe(1);
    expect(guardsIn(directory)).toEqual([]);
  });

  test('is stopped by the last to leave, also when all leave at once', async () => {
    const directory = newDirectory('private-');
    const [first, ...others] = [await start(directory), await start(directory), await start(directory)];
    const client = await connect(first);
    await first.stop();
    expect(await client.ping()).toBe('PONG');
    await Promise.all(others.map((user) => user.stop()));
    await expect.poll(() => client.isOpen).toBe(false);
    expect(readdirSync(directory).sort()).toEqual(['appendonlydir', 'redis.log']);
  });

  test('is not kept by connections that are no users, and stopping it twice does no harm', async () => {
    const redis = await start(newDirectory('private-'));
    const client = await connect(redis);
    await redis.stop();
    await expect.poll(() => client.isOpen).toBe(false);
    await redis.stop();
  });

  test('that starts while another stops is never the one that goes', async () => {
    const directory = newDirectory('private-');
    let current = await start(directory);
    for (let round = 0; round < 10; round += 1) {
      const [next] = await Promise.all([start(directory), current.stop()]);
      expect(await processId(next)).toBeDefined();
      current = next;
    }
  });

  test('is found again by its users when it was away', async () => {
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

describe('what a killed run left behind', () => {
  test('does not block: its guard, and its socket', async () => {
    const directory = newDirectory('private-');
    // No process has this number: it is larger than the largest.
    writeFileSync(join(directory, 'busy-99999999-left'), '');
    await leaveSocket(join(directory, 'redis.sock'));
    const startedAt = performance.now();
    await start(directory);
    expect(performance.now() - startedAt).toBeLessThan(4000);
    expect(guardsIn(directory)).toEqual([]);
  });

  test('does not block either when another process has its number by now', async () => {
    const directory = newDirectory('private-');
    const guard = join(directory, `busy-${process.ppid}-left`);
    writeFileSync(guard, '');
    const longAgo = Date.now() / 1000 - 60;
    utimesSync(guard, longAgo, longAgo);
    const startedAt = performance.now();
    await start(directory);
    expect(performance.now() - startedAt).toBeLessThan(4000);
  });

  test('but the guard of one that is starting it right now is waited for', async () => {
    const directory = newDirectory('private-');
    const guard = join(directory, `busy-${process.ppid}-working`);
    writeFileSync(guard, '');
    const soonOld = Date.now() / 1000 - 14;
    utimesSync(guard, soonOld, soonOld);
    const startedAt = performance.now();
    await start(directory);
    expect(performance.now() - startedAt).toBeGreaterThan(900);
  });
});

describe('what is in the way', () => {
  test('no Redis on PATH: the error says how to get one', async () => {
    vi.stubEnv('PATH', newDirectory('path-'));
    await expect(start(newDirectory('private-'))).rejects.toThrow(
      /no redis-server .* Run `node scripts\/setup.mjs redis`, or set REDIS_URL/,
    );
  });

  test('data that Redis does not read: the error names its log, and the next start is free', async () => {
    const directory = newDirectory('private-');
    const data = join(directory, 'appendonlydir');
    mkdirSync(data);
    writeFileSync(join(data, 'appendonly.aof.manifest'), 'no manifest');
    await expect(start(directory)).rejects.toThrow(/ended with code 1; see .*redis\.log$/);
    expect(guardsIn(directory)).toEqual([]);
    rmSync(data, { recursive: true });
    await start(directory);
  });

  test('a directory too deep for a unix socket: the error says so', async () => {
    const deep = join(newDirectory('private-'), 'a-long-name-of-a-directory/'.repeat(5));
    await expect(start(deep)).rejects.toThrow(/too long for a unix socket\. Start in a directory nearer to it/);
  });

  test('is not the depth when one starts near to it', async () => {
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
