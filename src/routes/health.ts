import type { RequestHandler } from 'express';
import { deadlineMs, type RedisClient, within } from '../redis.ts';

/** The process runs. */
export const live: RequestHandler = function live(_req, res) {
  res.type('text').send('ok\n');
};

/** Visitors can be sent here: Redis answers, and the process is not about to stop. */
export function ready(redis: RedisClient, isClosing: () => boolean): RequestHandler {
  return async function ready(_req, res) {
    res.set('Cache-Control', 'no-store').type('text');
    if (isClosing()) return void res.status(503).send('closing\n');
    try {
      await within(deadlineMs, redis.ping());
      res.send('ok\n');
    } catch {
      res.status(503).send('Redis does not answer\n');
    }
  };
}
