import type { RequestHandler } from 'express';
import { ErrorReply } from 'redis';
import { checkWritable, type RedisClient } from '../redis/client.ts';
import { RedisUnavailable, withTimeout } from '../redis/deadline.ts';

/** Kubernetes and others wait for one second. */
const readyDeadlineMs = 800;

/** The process runs. */
export const live: RequestHandler = (_req, res) => void res.type('text').send('ok\n');

/** Ready for visitors: the process is not about to stop, and Redis takes the writes that a sign-in needs. */
export function ready({ redis, isClosing }: { redis: RedisClient; isClosing: () => boolean }): RequestHandler {
  return async function ready(_req, res) {
    res.set('Cache-Control', 'no-store').type('text');
    if (isClosing()) return void res.status(503).send('closing\n');
    try {
      await withTimeout(readyDeadlineMs, checkWritable(redis));
      res.send('ok\n');
    } catch (error) {
      res.status(503).send(`${redis.whyLost?.() ?? problemOf(error)}\n`);
    }
  };
}

function problemOf(error: unknown): string {
  if (!(error instanceof RedisUnavailable && error.cause instanceof ErrorReply)) return 'Redis does not answer';
  // Its first word, such as READONLY or OOM. The rest may name users and keys.
  return `Redis refuses writes: ${error.cause.message.split(' ', 1)[0]}`;
}
