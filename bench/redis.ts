import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';
import { startPrivateRedis } from '../src/dev/private-redis.ts';
import type { EmailAddress } from '../src/session/email-address.ts';
import { encode } from '../src/session/record.ts';
import { indexKey, memberOf, newSessionId, sessionKey, tagOf } from '../src/session/session-id.ts';
import { median } from './bench.ts';

export type BenchRedis = Awaited<ReturnType<typeof startBenchRedis>>;

/** A private Redis on loopback TCP, so that every client reaches it by a URL, and without persistence. */
export async function startBenchRedis() {
  const directory = mkdtempSync(join(tmpdir(), 'latchkey-bench-'));
  const server = await startPrivateRedis(directory);
  const client = createClient({ socket: { path: server.socketPath, tls: false } });
  client.on('error', () => {});
  await client.connect();
  const port = await freePort();
  await client.configSet({ appendonly: 'no', port: String(port) });
  return {
    client,
    port,
    url: `redis://127.0.0.1:${port}`,
    version: String(/redis_version:(\S+)/.exec(await client.info('server'))?.[1]),
    /** Commands so far, without those that belong to connections instead of requests. */
    async commands(): Promise<number> {
      const stats = await client.info('commandstats');
      const counts = [...stats.matchAll(/^cmdstat_([^:|]+)[^:]*:calls=(\d+)/gm)];
      return counts.reduce((sum, [, name, calls]) => (notOfRequests.has(name ?? '') ? sum : sum + Number(calls)), 0);
    },
    async usedMemory(): Promise<number> {
      return Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1]);
    },
    async stop(): Promise<void> {
      client.destroy();
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Queues the commands that store a session as sign-in does. @returns its id */
export function addSession(pipeline: ReturnType<BenchRedis['client']['multi']>, address: string): string {
  const email = address as EmailAddress;
  const [tag, now] = [tagOf(email), Date.now()];
  const id = newSessionId(tag);
  const stored = encode({ email, signedInAt: now, lastSeenAt: now, remember: false, device: 'Firefox on Linux' });
  pipeline
    .set(sessionKey(id), stored, { expiration: { type: 'PX', value: eightHoursMs } })
    .zAdd(indexKey(tag), { score: now + eightHoursMs, value: memberOf(id) })
    .pExpire(indexKey(tag), eightHoursMs);
  return id;
}

const eightHoursMs = 8 * 3600 * 1000;
const notOfRequests = new Set(['info', 'ping', 'hello', 'client', 'config', 'auth', 'select']);

/** How long a round trip to Redis takes, as a median. */
export async function pingMilliseconds(url: string): Promise<number> {
  const client = createClient({ url });
  client.on('error', () => {});
  await client.connect();
  const times: number[] = [];
  for (let count = 0; count < 500; count += 1) {
    const startedAt = performance.now();
    await client.ping();
    times.push(performance.now() - startedAt);
  }
  client.destroy();
  return median(times);
}

/** A TCP port that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
