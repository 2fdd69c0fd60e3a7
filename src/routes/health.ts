import type { RequestHandler } from 'express';
import type { Mailer } from '../features/mail/mailer.ts';
import { deadlineMs, type RedisClient } from '../redis/connect.ts';
import { withTimeout } from '../redis/deadline.ts';

/** The process runs. */
export const live: RequestHandler = function live(_req, res) {
  res.type('text').send('ok\n');
};

type Parts = { redis: RedisClient; mailer: Mailer | undefined; isClosing: () => boolean };

/**
 * Visitors can be sent here: Redis answers, and the process is not about to stop. A mail server that is away is
 * told, but takes nobody's page away: who is signed in goes on.
 */
export function ready({ redis, mailer, isClosing }: Parts): RequestHandler {
  return async function ready(_req, res) {
    res.set('Cache-Control', 'no-store').type('text');
    if (isClosing()) return void res.status(503).send('closing\n');
    try {
      await withTimeout(deadlineMs, redis.ping());
      res.send(mailer?.isFailing ? 'ok, but mail can not be sent\n' : 'ok\n');
    } catch {
      res.status(503).send('Redis does not answer\n');
    }
  };
}
