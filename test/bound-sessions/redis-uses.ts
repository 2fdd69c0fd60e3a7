import { expect } from 'vitest';
import { bind, confirmBinding } from '../../src/features/bound-sessions/binding.ts';
import { Challenges } from '../../src/features/bound-sessions/challenges.ts';
import { isSecondTry, useChallenge } from '../../src/features/bound-sessions/tries.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { newSessionId, sessionKey, tagOf } from '../../src/session/session-id.ts';
import { testSecret } from '../support/app.ts';
import { keepOutOfLogs } from '../support/secrets.ts';

/** What bound sessions keep in Redis, each use once. */
export async function useRedis(redis: RedisClient): Promise<void> {
  const sessionId = newSessionId(tagOf('ann@example.com'));
  const key = 'k'.repeat(86);
  const challenge = new Challenges([testSecret]).issue('refresh', sessionId);
  keepOutOfLogs(sessionId, challenge);
  await redis.set(sessionKey(sessionId), '0123456789abcdef0ann@example.com\n');
  expect([await bind(redis, sessionId, key), await bind(redis, sessionId, key)]).toEqual([true, false]);
  expect(await confirmBinding(redis, sessionId, { key, isConfirmed: false })).toBe(true);
  expect(await redis.get(sessionKey(sessionId))).toBe(`0123456789abcdef0ann@example.com\n\n{"binding":"1${key}"}`);
  await redis.del(sessionKey(sessionId));

  expect(await isSecondTry(redis, sessionId, 1000)).toBe(false);
  const first = await useChallenge(redis, sessionId, challenge);
  expect([first, await useChallenge(redis, sessionId, challenge)]).toEqual([true, false]);
  expect([await isSecondTry(redis, sessionId, 0), await isSecondTry(redis, sessionId, 0)]).toEqual([false, true]);
}
