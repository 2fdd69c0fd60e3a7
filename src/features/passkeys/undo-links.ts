import { createHash, randomBytes } from 'node:crypto';
import * as z from 'zod';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import { readStoredText } from '../email-code/stored-text.ts';
import { useUp } from '../email-code/used-links.ts';
import { type Owned, parseJson, passkeyShape } from './record.ts';

const linkShape = z.object({
  /** What following it does. */
  action: z.enum(['remove', 'restore']),
  email: z.string().transform((email) => email as EmailAddress),
  passkey: passkeyShape,
  /** The user handle that its authenticator stores with it. */
  userHandle: z.string(),
  /** That of the account when the mail was sent. */
  restoreKey: z.string(),
  /** Once it was followed, what that has done. */
  outcome: z.enum(['removed', 'was gone', 'restored', 'was there']).optional(),
});

/** What a link undoes. */
export type Undo = Owned & { action: 'remove' | 'restore' };

/** What following a link has done. */
export type Outcome = NonNullable<z.output<typeof linkShape>['outcome']>;

/** What a link undoes; for one that was used a moment ago, also what that has done. */
export type Found = Undo & { outcome?: Outcome | undefined };

/** For how long a passkey that was added can be removed by its link. */
export const removeLinkSeconds = 30 * 86_400;
const tokenShape = /^[\w-]{22}$/;

/**
 * The links in mails about passkeys: each undoes one change, once. Redis holds a hash of the token and what it stands for.
 * Every method throws `RedisUnavailable`.
 */
export class UndoLinks {
  readonly #redis: RedisClient;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  async create(undo: Undo, ttlSeconds: number): Promise<string> {
    const token = randomBytes(16).toString('base64url');
    const expiration = { type: 'EX', value: ttlSeconds } as const;
    await withDeadline(deadlineMs, this.#redis.set(keyOf(token), JSON.stringify(undo), { expiration }));
    return token;
  }

  /** What a token undoes, if it is still good, or was a moment ago; it is left as it is. */
  async find(token: unknown): Promise<Found | undefined> {
    if (typeof token !== 'string' || !tokenShape.test(token)) return undefined;
    return readLink(await readStoredText(this.#redis, keyOf(token)));
  }

  /**
   * Uses a token up. For a moment it still says what that has done, to answer a second press or a reload.
   * @param outcome what this use has done
   * @returns what another has done a moment ago, if there was one
   */
  async use(token: string, undo: Undo, outcome: Outcome): Promise<Outcome | undefined> {
    const record = JSON.stringify({ ...undo, outcome });
    // "removed" or "restored": a use whose outcome is another one has changed nothing.
    const earlier = await useUp(this.#redis, keyOf(token), record, '"outcome":"re%l+ed"');
    return readLink(earlier ?? undefined)?.outcome;
  }
}

function keyOf(token: string): string {
  return `p:undo:${createHash('sha256').update(token).digest('base64url').slice(0, 22)}`;
}

/** What a stored link undoes. */
export function readLink(record: string | undefined): Found | undefined {
  const { data } = linkShape.safeParse(parseJson(record));
  return data && { ...data, passkey: { ...data.passkey, lastUsedAt: data.passkey.lastUsedAt } };
}
