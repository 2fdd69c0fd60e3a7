import { createHash, randomBytes } from 'node:crypto';
import { type RedisClient, within } from '../redis.ts';

/**
 * The links that notices of a new sign-in carry: each ends one session, once. Redis holds a hash of the token
 * and which session it stands for, as long as that session can live.
 */
export class EndLinks {
  readonly #redis: RedisClient;
  readonly #deadlineMs: number;

  constructor(redis: RedisClient, deadlineMs: number) {
    this.#redis = redis;
    this.#deadlineMs = deadlineMs;
  }

  /**
   * A token that ends this session.
   * @param endsAt when it ends at the latest; milliseconds since the epoch
   * @throws {RedisUnavailable}
   */
  async create(sessionId: string, endsAt: number): Promise<string> {
    const token = randomBytes(16).toString('base64url');
    const expiration = { type: 'PXAT', value: endsAt } as const;
    await within(this.#deadlineMs, this.#redis.set(keyOf(token), sessionId, { expiration }));
    return token;
  }

  /**
   * The session that a token ends, if it is still good; it is left as it is.
   * @throws {RedisUnavailable}
   */
  async find(token: string): Promise<string | null> {
    return within(this.#deadlineMs, this.#redis.get(keyOf(token)));
  }

  /**
   * Uses a token up.
   * @returns whether it was still good
   * @throws {RedisUnavailable}
   */
  async use(token: string): Promise<boolean> {
    return (await within(this.#deadlineMs, this.#redis.del(keyOf(token)))) === 1;
  }
}

function keyOf(token: string): string {
  return `n:${createHash('sha256').update(token).digest('base64url').slice(0, 22)}`;
}
