import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Express } from 'express';
import { destination } from 'pino';
import { vi } from 'vitest'; // feature: redis-checks
import { createApp, openRedis } from '../../src/app.ts';
import { type Config, readConfig, type SessionSecrets } from '../../src/config.ts';
import type { Development } from '../../src/core.ts';
import * as development from '../../src/dev/index.ts';
import { formatLog } from '../../src/features/log-format/log-format.ts'; // feature: log-format
import { closeHttpServer } from '../../src/http/http-server.ts';
import { createLogger } from '../../src/log.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { type NodeClient, newNode } from '../../src/redis/node.ts';
import { plainRedisUrl, type SingleRedis } from '../../src/redis/url.ts';
import type { SessionStore } from '../../src/session/store.ts';
import { afterwards } from './afterwards.ts';
import { newLogFile } from './secrets.ts';
import { testRedis } from './test-redis.ts';

export type RedisAddress = SingleRedis['address'] | { url: string };

/** A connection of a test's own to one Redis. */
type TestRedis = NodeClient & Pick<RedisClient, 'nodes'>;

export type TestApp = {
  url: string;
  app: Express;
  server: Server;
  store: SessionStore;
  /** To the app's Redis, which must be one. */
  redis: TestRedis;
  /** What it has logged so far. */
  logged: () => Record<string, unknown>[];
  close: () => Promise<void>;
};

export type TestAppOptions = {
  /** Default: a Redis of this test file's own. */
  redisAddress?: RedisAddress;
  secrets?: SessionSecrets;
  isClosing?: () => boolean;
  /** Replaces parts of what is for development alone. */
  development?: Partial<Development>;
  /** Environment variables, as an operator would set them. */
  env?: Record<string, string>;
  config?: Partial<Config>;
};

export const testSecret = 'a secret for the tests, of 32 characters and more';

/** A connection with every command that there is; closed after the file's last test. */
export async function connectNode(address: RedisAddress): Promise<TestRedis> {
  const { credentials, database, ...target } = targetOf(address);
  const client = newNode(target.address, { credentials, database }, { socket: { reconnectStrategy: false } });
  client.on('error', () => {});
  await client.connect();
  afterwards(() => {
    if (client.isOpen) client.destroy();
  });
  return Object.assign(client, { nodes: async () => [client] });
}

export function targetOf(address: RedisAddress): SingleRedis {
  const target = 'url' in address ? plainRedisUrl.read(address.url) : { kind: 'single' as const, address };
  if (!target) throw new Error('not the URL of a single Redis');
  return target;
}

/** Connects as `server.ts` does to what `REDIS_URL` names. */
export async function connectUrl(url: string, log = createLogger('silent'), env = {}): Promise<RedisClient> {
  const config = readConfig({ NODE_ENV: 'test', REDIS_URL: url, ...env });
  if (!config.redis) throw new Error('there is no URL');
  return (await openRedis(config.redis, { config, log })).client;
}

/** Reads the entries of a log so far; each line is parsed once, since tests that wait for one read it often. */
export function readerOf(logFile: string): () => Record<string, unknown>[] {
  const entries: Record<string, unknown>[] = [];
  let text = '';
  let offset = 0;
  return () => {
    const bytes = readFileSync(logFile);
    text += bytes.toString('utf8', offset);
    offset = bytes.length;
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) if (line !== '') entries.push(JSON.parse(line));
    return [...entries];
  };
}

// feature: redis-checks
/**
 * Lets the clock of Redis follow that of a test: the app compares the two every minute, and would correct whatever a
 * test has set.
 */
function moveWithTests(redis: RedisClient): void {
  const { time } = redis;
  redis.time = () => (vi.isFakeTimers() ? Promise.resolve([String(Date.now() / 1000), '0']) : time());
}
// end: redis-checks

/**
 * The app as `server.ts` puts it together, on a real socket and a real Redis; closed after the file's last test. While a
 * test fakes timers, Redis's TIME follows the fake clock.
 */
export async function startApp(options: TestAppOptions = {}): Promise<TestApp> {
  const config = {
    ...readConfig({ NODE_ENV: 'test', ...options.env }),
    ...options.config,
  };
  const logFile = newLogFile('app');
  const log = createLogger('debug', destination({ dest: logFile, sync: true }), {
    ...formatLog(config), // feature: log-format
  });
  const redisAddress = options.redisAddress ?? (await testRedis());
  const { client: redis } = await openRedis(targetOf(redisAddress), { config, log });
  moveWithTests(redis); // feature: redis-checks
  const secrets = options.secrets ?? config.sessionSecrets ?? [testSecret];
  const isClosing = options.isClosing ?? (() => false);
  const { app, server, services, core } = createApp({
    ...{ config, secrets, redis, log, isClosing },
    development: { ...development, ...options.development },
  });
  for (const service of services) await service.start?.();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));

  let closed = false;
  async function close(): Promise<void> {
    if (closed) return;
    closed = true;
    await closeHttpServer(server);
    for (const service of services.toReversed()) await service.stop?.();
    redis.destroy();
  }
  afterwards(close);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    app,
    server,
    store: core.store,
    redis: await connectNode(redisAddress),
    logged: readerOf(logFile),
    close,
  };
}
