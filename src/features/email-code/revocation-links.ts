import { createHash, randomBytes } from 'node:crypto';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';
import { readStoredText } from './stored-text.ts';
import { useUp } from './used-links.ts';

/** What a link ends: a session, and that its browser is known, unless that is `noDevice`. */
export type Linked = { sessionId: string; deviceId: string };

/** The same, and for a link that was used a moment ago, whether that has ended the session. */
export type Found = Linked & { hasEnded?: boolean };

/** For a session that somebody seems to have stolen: it is not its own browser that must become unknown. */
export const noDevice = '-';

// Version 0.1 wrote and reads the same, so that links in mails outlive an upgrade. To it, one that was used is none.
const recordShape = /^([\w-]+) ([\w-]+)(?: ([01]))?$/;

/**
 * The links in notices of a new sign-in: each ends one session, once. Redis holds a hash of the token and what it stands
 * for, for as long as that session can live. Every method throws `RedisUnavailable`.
 */
export class RevocationLinks {
  readonly #redis: RedisClient;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  /**
   * Makes a token that ends this session.
   * @param endsAt when the session ends at the latest; milliseconds since the epoch
   */
  async create({ sessionId, deviceId }: Linked, endsAt: number): Promise<string> {
    const token = randomBytes(16).toString('base64url');
    const expiration = { type: 'PXAT', value: endsAt } as const;
    const record = `${sessionId} ${deviceId}`;
    await withDeadline(deadlineMs, this.#redis.set(keyOf(token), record, { expiration }));
    return token;
  }

  /** What a token ends, if it is still good, or was a moment ago; it is left as it is. */
  async find(token: string): Promise<Found | undefined> {
    return readRecord(await readStoredText(this.#redis, keyOf(token)));
  }

  /**
   * Uses a token up. For a moment it still says what that has done, to answer a second press or a reload.
   * @param hasEnded whether this use has ended the session
   * @returns whether this use, or another a moment ago, has ended the session
   */
  async use(token: string, { sessionId, deviceId }: Linked, hasEnded: boolean): Promise<boolean> {
    const record = `${sessionId} ${deviceId} ${Number(hasEnded)}`;
    const earlier = await useUp(this.#redis, keyOf(token), record, ' 1$');
    return hasEnded || readRecord(earlier)?.hasEnded === true;
  }
}

function readRecord(record: string | null | undefined): Found | undefined {
  const [, sessionId, deviceId, hasEnded] = recordShape.exec(record ?? '') ?? [];
  if (sessionId === undefined || deviceId === undefined) return undefined;
  return { sessionId, deviceId, ...(hasEnded !== undefined && { hasEnded: hasEnded === '1' }) };
}

function keyOf(token: string): string {
  return `n:${createHash('sha256').update(token).digest('base64url').slice(0, 22)}`;
}
