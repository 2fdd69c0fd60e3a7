import { createHash, randomBytes } from 'node:crypto';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';
import { readStoredText } from './stored-text.ts';

/** What a link ends: a session, and that its browser is known, unless that is `noDevice`. */
export type Linked = { sessionId: string; deviceId: string };

/** For a session that somebody seems to have stolen: it is not its own browser that must become unknown. */
export const noDevice = '-';

// Version 0.1 wrote and reads the same, so that links in mails outlive an upgrade.
const recordShape = /^([\w-]+) ([\w-]+)$/;

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

  /** What a token ends, if it is still good; it is left as it is. */
  async find(token: string): Promise<Linked | undefined> {
    const record = await readStoredText(this.#redis, keyOf(token));
    const [, sessionId, deviceId] = recordShape.exec(record ?? '') ?? [];
    return sessionId === undefined || deviceId === undefined ? undefined : { sessionId, deviceId };
  }

  /**
   * Uses a token up.
   * @returns whether it was still good
   */
  async use(token: string): Promise<boolean> {
    return (await withDeadline(deadlineMs, this.#redis.del(keyOf(token)))) === 1;
  }
}

function keyOf(token: string): string {
  return `n:${createHash('sha256').update(token).digest('base64url').slice(0, 22)}`;
}
