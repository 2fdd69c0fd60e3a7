import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { now } from '../../clock.ts';
import type { SessionSecrets } from '../../config.ts';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';

/** How long a challenge can be answered: five minutes, in which somebody finds their security key. */
export const challengeSeconds = 300;
/** By how much the clocks of two processes may differ. */
const maxClockSkewSeconds = 60;

const timeBytes = 4;
const randomPartBytes = 16;
const payloadBytes = timeBytes + randomPartBytes;
const challengeShape = /^[\w-]{70}$/;

/**
 * What browsers sign with a passkey. A challenge says by itself when it was made, and carries a keyed hash of that, of
 * what it is for, and of the browser that asked: whoever only looks at a page costs no key in Redis. That one was used is
 * recorded for as long as it would be accepted.
 */
export class Challenges {
  readonly #redis: RedisClient;
  readonly #secrets: SessionSecrets;

  constructor(redis: RedisClient, secrets: SessionSecrets) {
    this.#redis = redis;
    this.#secrets = secrets;
  }

  /**
   * @param purpose one challenge is good for nothing else
   * @param browser the random value in its cookie; in any other browser the answer is refused
   */
  issue(purpose: string, browser: string): string {
    const payload = Buffer.alloc(payloadBytes);
    payload.writeUInt32BE(nowSeconds());
    randomBytes(randomPartBytes).copy(payload, timeBytes);
    return encode(payload, { purpose, browser, secret: this.#secrets[0] });
  }

  /** Whether we made this challenge, for this purpose and browser, at most five minutes ago. */
  isGood(challenge: string, purpose: string, browser: string | undefined): boolean {
    if (browser === undefined || !challengeShape.test(challenge)) return false;
    const bytes = Buffer.from(challenge, 'base64url');
    const payload = bytes.subarray(0, payloadBytes);
    const ageSeconds = nowSeconds() - payload.readUInt32BE();
    if (ageSeconds >= challengeSeconds || ageSeconds < -maxClockSkewSeconds) return false;
    return this.#secrets.some((secret) =>
      timingSafeEqual(Buffer.from(encode(payload, { purpose, browser, secret })), Buffer.from(challenge)),
    );
  }

  /**
   * Uses a challenge up.
   * @returns whether it was the first time: however many answers come at once, one of them gets a yes
   * @throws {RedisUnavailable} nobody may then be signed in
   */
  async use(challenge: string): Promise<boolean> {
    const key = `p:used:${createHash('sha256').update(challenge).digest('base64url').slice(0, 22)}`;
    const expiration = { type: 'EX', value: challengeSeconds + maxClockSkewSeconds } as const;
    return (await withDeadline(deadlineMs, this.#redis.set(key, '', { condition: 'NX', expiration }))) === 'OK';
  }
}

type Signed = { purpose: string; browser: string; secret: string };

function encode(payload: Buffer, { purpose, browser, secret }: Signed): string {
  const text = JSON.stringify(['passkey challenge', purpose, browser, payload.toString('base64url')]);
  const signature = createHmac('sha256', secret).update(text).digest();
  return Buffer.concat([payload, signature]).toString('base64url');
}

function nowSeconds(): number {
  return Math.floor(now() / 1000);
}
