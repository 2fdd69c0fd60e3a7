import { createHash, randomBytes } from 'node:crypto';
import { type RedisClient, withDeadline } from '../../redis/connect.ts';

/** What a link ends: a session, and that its browser is known. */
export type Linked = { sessionId: string; deviceId: string };

/**
 * The links that notices of a new sign-in carry: each ends one session, once. Redis holds a hash of the token
 * and what it stands for, as long as that session can live.
 */
export class RevocationLinks {
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
  async create({ sessionId, deviceId }: Linked, endsAt: number): Promise<string> {
    const token = randomBytes(16).toString('base64url');
    const expiration = { type: 'PXAT', value: endsAt } as const;
    await withDeadline(this.#deadlineMs, this.#redis.set(keyOf(token), `${sessionId} ${deviceId}`, { expiration }));
    return token;
  }

  /**
   * What a token ends, if it is still good; it is left as it is.
   * @throws {RedisUnavailable}
   */
  async find(token: string): Promise<Linked | undefined> {
    const linked = await withDeadline(this.#deadlineMs, this.#redis.get(keyOf(token)));
    const [sessionId = '', deviceId = ''] = linked?.split(' ') ?? [];
    return linked === null ? undefined : { sessionId, deviceId };
  }

  /**
   * Uses a token up.
   * @returns whether it was still good
   * @throws {RedisUnavailable}
   */
  async use(token: string): Promise<boolean> {
    return (await withDeadline(this.#deadlineMs, this.#redis.del(keyOf(token)))) === 1;
  }
}

function keyOf(token: string): string {
  return `n:${createHash('sha256').update(token).digest('base64url').slice(0, 22)}`;
}
