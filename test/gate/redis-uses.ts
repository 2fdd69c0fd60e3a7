import { expect } from 'vitest';
import { OpenedSites } from '../../src/features/gate/opened-sites.ts';
import { openSites } from '../../src/features/gate/sites.ts';
import { browserOf, newRandom, Tickets } from '../../src/features/gate/tickets.ts';
import type { RedisClient } from '../../src/redis/connect.ts';
import { handleOf, keysOf, newSessionId, tagOf } from '../../src/session/record.ts';
import { address } from '../support/address.ts';
import { keepOutOfLogs } from '../support/secrets.ts';

/** What the gate keeps in Redis, each use once. */
export async function useRedis(redis: RedisClient): Promise<void> {
  const email = address('guest@example.com');
  const sessionId = newSessionId(tagOf(email));
  const mark = newRandom();
  keepOutOfLogs(sessionId, mark);
  const [site] = openSites([{ origin: 'https://wiki.example.net', visitors: undefined }]).values();
  if (!site) throw new Error('there is no site');

  const tickets = new Tickets(redis);
  const ticket = await tickets.issue({ sessionId, browser: browserOf(mark), site });
  keepOutOfLogs(ticket);
  expect(await tickets.take(ticket, site, mark)).toBe(sessionId);
  expect(await tickets.take(ticket, site, mark)).toBeUndefined();

  const opened = new OpenedSites(redis);
  const key = keysOf(sessionId)?.session ?? '';
  expect(await opened.note(sessionId, site.origin, Date.now() + 60_000)).toBe(false);
  await redis.set(key, 'a session', { expiration: { type: 'EX', value: 60 } });
  expect(await opened.note(sessionId, site.origin, Date.now() + 60_000)).toBe(true);
  expect(await opened.list(email, [handleOf(sessionId)])).toEqual([[site.origin]]);
  await redis.del(key);
}
