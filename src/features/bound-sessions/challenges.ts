import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { now } from '../../clock.ts';
import type { SessionSecrets } from '../../config.ts';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';
import { tagIn } from '../../session/session-id.ts';
import { doubtKey } from './tries.ts';

/** How long a challenge can be answered. */
export const challengeSeconds = 300;
/** By how much the clocks of two processes may differ. */
const maxClockSkewSeconds = 60;
/** Longer than any challenge is accepted. */
const usedSeconds = challengeSeconds + maxClockSkewSeconds;

const shape = /^([\da-z]{6,8})\.[\w-]{22}\.[\w-]{43}$/;

/** What a challenge is good for; nothing else takes it. */
export type Purpose = 'register' | 'refresh';

/**
 * What browsers sign with the key of a session. Issuing one stores nothing: it says when it was made, and carries an HMAC
 * over that, its purpose and the session.
 */
export class Challenges {
  readonly #secrets: SessionSecrets;

  constructor(secrets: SessionSecrets) {
    this.#secrets = secrets;
  }

  issue(purpose: Purpose, sessionId: string): string {
    const content = `${Math.floor(now() / 1000).toString(36)}.${randomBytes(16).toString('base64url')}`;
    return `${content}.${sign(content, purpose, sessionId, this.#secrets[0])}`;
  }

  /** Whether we made this challenge, for this purpose and session, at most five minutes ago. */
  isGood(challenge: string, purpose: Purpose, sessionId: string): boolean {
    const issuedAt = Number.parseInt(shape.exec(challenge)?.[1] ?? '', 36);
    const ageSeconds = now() / 1000 - issuedAt;
    if (!(ageSeconds < challengeSeconds && ageSeconds > -maxClockSkewSeconds)) return false;
    const content = challenge.slice(0, challenge.lastIndexOf('.'));
    return this.#secrets.some((secret) => {
      const own = `${content}.${sign(content, purpose, sessionId, secret)}`;
      return timingSafeEqual(Buffer.from(own), Buffer.from(challenge));
    });
  }
}

/** Uses a challenge up, and ends all doubt about the session. Returns 0 if the challenge was used before. */
const useScript = `
if not redis.call('SET', KEYS[1], '', 'NX', 'EX', ARGV[1]) then return 0 end
redis.call('DEL', KEYS[2])
return 1`;

/**
 * Uses up a challenge that was answered well.
 * @returns whether it was the first time: however many answers come at once, one of them gets a yes
 * @throws {RedisUnavailable}
 */
export async function useChallenge(redis: RedisClient, sessionId: string, challenge: string): Promise<boolean> {
  const name = createHash('sha256').update(challenge).digest('base64url').slice(0, 22);
  const keys = [`b:{${tagIn(sessionId)}}used:${name}`, doubtKey(sessionId)];
  const step = { keys, arguments: [String(usedSeconds)] };
  return (await withDeadline(deadlineMs, redis.eval(useScript, step))) === 1;
}

function sign(content: string, purpose: Purpose, sessionId: string, secret: string): string {
  return createHmac('sha256', secret).update(`bound ${purpose}:${content}:${sessionId}`).digest('base64url');
}
