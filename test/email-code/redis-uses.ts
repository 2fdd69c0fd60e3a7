import { expect } from 'vitest';
import { Challenges } from '../../src/features/email-code/challenges.ts';
import { RateLimits } from '../../src/features/email-code/rate-limits.ts';
import { RevocationLinks } from '../../src/features/email-code/revocation-links.ts';
import { deadlineMs, type RedisClient } from '../../src/redis/connect.ts';
import { address } from '../support/address.ts';
import { keepOutOfLogs } from '../support/secrets.ts';

const challenge = { email: address('ann@example.com'), remember: false, next: '/admin' };

/** What sign-in by code keeps in Redis, each use once. */
export async function useRedis(redis: RedisClient): Promise<void> {
  const challenges = new Challenges(redis, ['a secret for the tests, of 32 characters and more'], deadlineMs);
  const { id, code } = await challenges.start(challenge, { willBeMailed: true });
  keepOutOfLogs(id, code);
  expect(await challenges.find(id)).toEqual(challenge);
  expect(await challenges.attempt(id, '00000000')).toEqual({ outcome: 'wrong', triesLeft: 4 });
  expect(await challenges.attempt(id, code)).toEqual({ outcome: 'right', challenge });
  expect(await challenges.find(id)).toBeUndefined();
  const { id: previousId } = await challenges.start(challenge, { willBeMailed: true });
  const { id: next } = await challenges.start(challenge, { willBeMailed: false, previousId });
  keepOutOfLogs(previousId, next);
  expect([await challenges.find(previousId), await challenges.find(next)]).toEqual([undefined, challenge]);

  const rateLimits = new RateLimits(redis, 1000, deadlineMs);
  for (let count = 0; count < 30; count += 1) await rateLimits.countAsk('192.0.2.1', undefined);
  await expect(rateLimits.countAsk('192.0.2.1', undefined)).rejects.toMatchObject({ status: 429 });

  const links = new RevocationLinks(redis, deadlineMs);
  const linked = { sessionId: 'a-session-id', deviceId: 'a-device-id' };
  const token = await links.create(linked, Date.now() + 3_600_000);
  keepOutOfLogs(token);
  expect(await links.find(token)).toEqual(linked);
  expect([await links.use(token), await links.use(token)]).toEqual([true, false]);
}
