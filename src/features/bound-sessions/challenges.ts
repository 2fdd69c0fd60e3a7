import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { now } from '../../clock.ts';
import type { SessionSecrets } from '../../config.ts';

/** How long a challenge can be answered. */
export const challengeSeconds = 300;
/** By how much the clocks of two processes may differ. */
const maxClockSkewSeconds = 60;
/** Longer than any challenge is accepted. */
export const usedSeconds = challengeSeconds + maxClockSkewSeconds;

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

function sign(content: string, purpose: Purpose, sessionId: string, secret: string): string {
  return createHmac('sha256', secret).update(`bound ${purpose}:${content}:${sessionId}`).digest('base64url');
}
