import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { Queue } from '../../src/features/mail/queue.ts';
import type { RedisClient } from '../../src/redis/client.ts';

const limits = { connections: 5, ordinaryConnections: 4, connectionsPerDomain: 2, mailsPerMinute: 600 };

/** Runs each script of the outbox once. */
export async function useRedis(redis: RedisClient): Promise<void> {
  const queue = new Queue(redis, randomUUID());
  const mail = { id: randomUUID(), domain: 'example', sealed: 'sealed', ttlSeconds: 60, delayMs: 0 };
  await queue.enqueue({ ...mail, lane: 'high' });
  const { jobs } = await queue.claim([], limits, []);
  expect(jobs).toMatchObject([{ id: mail.id, lane: 'high' }]);
  await queue.claim([mail.id], undefined, []);
  await queue.defer(mail.id, 60_000, 'slow');
  expect((await queue.claim([], limits, [])).jobs).toEqual([]);
  expect([await queue.finish(mail.id), await queue.finish(mail.id)]).toEqual([true, false]);
}
