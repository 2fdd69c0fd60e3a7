import type { RequestHandler } from 'express';
import { deadlineMs, type RedisClient } from '../redis/connect.ts';
import { withTimeout } from '../redis/deadline.ts';

/** The process runs. */
export const live: RequestHandler = function live(_req, res) {
  res.type('text').send('ok\n');
};

type Parts = { redis: RedisClient; isClosing: () => boolean };

/** Visitors can be sent here: Redis answers, and the process is not about to stop. */
export function ready({ redis, isClosing }: Parts): RequestHandler {
  return async function ready(_req, res) {
    res.set('Cache-Control', 'no-store').type('text');
    if (isClosing()) return void res.status(503).send('closing\n');
    try {
      await withTimeout(deadlineMs, redis.ping());
      res.send('ok\n');
    } catch {
      res.status(503).send('Redis does not answer\n');
    }
  };
}
