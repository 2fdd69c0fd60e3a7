import { expect } from 'vitest';
import { OpenedSites } from '../../src/features/gate/opened-sites.ts';
import { openSites } from '../../src/features/gate/sites.ts';
import { browserOf, newRandom, Tickets } from '../../src/features/gate/tickets.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { handleOf, newSessionId, sessionKey, tagOf } from '../../src/session/session-id.ts';
import { address } from '../support/address.ts';
import { keepOutOfLogs } from '../support/secrets.ts';

const email = address('ann@example.com');
const [site] = openSites([{ origin: 'https://wiki.example.net', visitors: undefined }]).values();

/** What the gate keeps in Redis, each use once; checks use the session store. */
export async function useRedis(redis: RedisClient): Promise<void> {
  if (!site) throw new Error('there is no site');
  const sessionId = newSessionId(tagOf(email));
  const mark = newRandom();
  const tickets = new Tickets(redis);
  const ticket = await tickets.issue({ sessionId, browser: browserOf(mark), site });
  keepOutOfLogs(sessionId, mark, ticket);
  expect([await tickets.take(ticket, site, mark), await tickets.take(ticket, site, mark)]).toEqual([
    sessionId,
    undefined,
  ]);

  const openedSites = new OpenedSites(redis);
  const endsAt = Date.now() + 60_000;
  expect(await openedSites.note(sessionId, site.origin, endsAt)).toBe(false);
  const key = sessionKey(sessionId);
  await redis.set(key, 'a session');
  expect(await openedSites.note(sessionId, site.origin, endsAt)).toBe(true);
  expect(await openedSites.list(email, [handleOf(sessionId), 'another'])).toEqual([[site.origin], []]);
  await redis.del(key);
}
