import { mkdtempSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { inject } from 'vitest';
import { type PrivateRedis, startPrivateRedis } from '../../src/dev/private-redis.ts';
import { withDeadline } from '../../src/redis/deadline.ts';
import { newNode } from '../../src/redis/node.ts';
import { afterwards } from './afterwards.ts';

type TestRedis = PrivateRedis & { configuration: unknown };

// A start takes 30 ms of processor time, so the files of a worker hand on what they have left as it was.
const idle: TestRedis[] = [];
const resetDeadlineMs = 1000;

/** An empty Redis that nothing but this test file uses. What a file has configured goes with it. */
export async function testRedis(): Promise<{ socketPath: string }> {
  const redis = idle.pop() ?? (await start());
  afterwards(async () => {
    const configuration = await withDeadline(resetDeadlineMs, empty(redis)).catch(() => undefined);
    if (JSON.stringify(configuration) === JSON.stringify(redis.configuration)) idle.push(redis);
    else await redis.stop();
  });
  return { socketPath: redis.socketPath };
}

async function start(): Promise<TestRedis> {
  const redis = await startPrivateRedis(mkdtempSync(join(inject('runDirectory'), 'redis-')));
  // Absolute, since a URL can't hold a relative path.
  const socketPath = resolve(redis.socketPath);
  return { ...redis, socketPath, configuration: await empty({ socketPath }) };
}

/** @returns how Redis is configured, and who is connected to it */
async function empty({ socketPath }: { socketPath: string }): Promise<unknown> {
  const client = newNode({ socketPath }, {}, { socket: { reconnectStrategy: false } });
  client.on('error', () => {});
  try {
    await client.connect();
    const connections = (await client.clientList()).map(({ name, db }) => [name, db]);
    const configuration = [connections, await client.configGet('*'), await client.aclList()];
    await client.flushAll();
    await client.scriptFlush();
    await client.configResetStat();
    return configuration;
  } finally {
    client.destroy();
  }
}
