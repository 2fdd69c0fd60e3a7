import { createHmac, randomBytes } from 'node:crypto';
import type { SessionSecrets } from '../../config.ts';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';
import type { EmailAddress } from '../../session/email-address.ts';
import { reserved } from '../../session/scripts.ts';
import {
  isSessionId,
  memberLength,
  memberOf,
  newSessionId,
  sessionKey,
  tagIn,
  tagOf,
} from '../../session/session-id.ts';
import { repeatSeconds } from '../repeated-forms/repeated-forms.ts';
import { askScript, enterScript, takeBackScript } from './challenge-scripts.ts';
import { cookieMaxAgeMs, unknownKey } from './known-browsers.ts';
import { type Cost, decoyKey } from './rate-limits.ts';
import { readStoredText } from './stored-text.ts';

/** A sign-in that waits for its code, or whose code was used a moment ago. */
export type Challenge = {
  id: string;
  state: 'waiting' | 'used';
  email: EmailAddress;
  remember: boolean;
  salt: string;
};

/** A sign-in that another one has replaced: its id, its record (empty if there was none), and how long it had left. */
type Replaced = { id: string; record: string; leftMs: number };

/** The result of asking for a code: whether it may be mailed, and if not, which counter refused. */
export type Asked =
  | { outcome: 'repeated' }
  | { outcome: 'asked'; isMailed: boolean; refusedBy: Cost | undefined; replaced: Replaced };

/** The session that a right code stands for. */
export type Granted = { email: EmailAddress; remember: boolean; deviceId: string; sessionId: string };

/** The result of entering a code. */
export type Attempt =
  | ({ outcome: 'right' } & Granted)
  /** The same form once more, a moment later. */
  | ({ outcome: 'repeated'; ageMs: number } & Granted)
  | { outcome: 'wrong'; triesLeft: number; isRefused: boolean }
  /** Too late, too often, used already, or asked for by another browser: the visitor can't tell, and need not. */
  | { outcome: 'over' };

/** ASVS 6.5.5. */
export const codeSeconds = 600;
export const triesPerCode = 5;

const recordShape = /^1 ([wu]) (\S+) \S+ ([01]) \S+ \d+ \S+ \d+ \S+ (.+)$/s;

/**
 * Sign-ins that wait for their codes. Each lives in Redis under a random id, which only the browser that asked has, in a
 * cookie: in any other the code is rejected (ASVS 6.6.2). Only a keyed hash of the code is stored (ASVS 6.5.2). Like a
 * session's, the id starts with the tag of the address, so that one script can decide about everything that belongs to
 * the address. Every method throws `RedisUnavailable`.
 */
export class Challenges {
  readonly #redis: RedisClient;
  readonly #secrets: SessionSecrets;

  constructor(redis: RedisClient, secrets: SessionSecrets) {
    this.#redis = redis;
    this.#secrets = secrets;
  }

  /**
   * The id of a new sign-in. The same seed gives the same id, so that a form that is sent twice at once waits once.
   * @param seed what the two requests have in common and nobody else has; random if there is nothing
   */
  idFor(email: EmailAddress, seed: string | undefined): string {
    if (seed === undefined) return newSessionId(tagOf(email));
    const digest = createHmac('sha256', this.#secrets[0]).update(`challenge:${email}:${seed}`).digest('base64url');
    return tagOf(email) + digest.slice(0, memberLength);
  }

  /**
   * Starts to wait for a code.
   * @param options.previousId the sign-in that this one replaces
   * @param options.isAllowed whether the code may be mailed as far as the address itself is concerned
   * @param options.counters what a mail costs; its points are taken only if it leaves
   */
  async ask(
    challenge: { id: string; code: string; email: EmailAddress; remember: boolean; deviceId: string | undefined },
    options: { previousId: string | undefined; isAllowed: boolean; counters: Cost[] },
  ): Promise<Asked> {
    const { id, code, email, remember, deviceId } = challenge;
    const { previousId = id, isAllowed, counters } = options;
    const salt = randomBytes(9).toString('base64url');
    const reply = await this.#run(askScript, [keyOf(id), keyOf(previousId), decoyKey(tagIn(id))], counters, [
      ...[codeSeconds * 1000, repeatSeconds * 1000, triesPerCode, isAllowed ? 1 : 0],
      ...[salt, hashOf(salt, code, this.#secrets[0]), randomBytes(16).toString('base64url')],
      ...[remember ? 1 : 0, deviceId ?? '-', email],
    ]);
    if (reply[0] === 'repeated') return { outcome: 'repeated' };
    const refusedBy = counters[Number(reply[1]) - 1];
    const replaced = { id: previousId, record: String(reply[2]), leftMs: Number(reply[3]) };
    return { outcome: 'asked', isMailed: isAllowed && refusedBy === undefined, refusedBy, replaced };
  }

  /** The sign-in with this id; it is left as it is. */
  async find(id: string): Promise<Challenge | undefined> {
    if (!isSessionId(id)) return undefined;
    const text = await readStoredText(this.#redis, keyOf(id));
    const [, state, salt, remember, email] = recordShape.exec(text ?? '') ?? [];
    if (salt === undefined || email === undefined) return undefined;
    return {
      ...{ id, salt, state: state === 'w' ? 'waiting' : 'used', remember: remember === '1' },
      email: email as EmailAddress,
    };
  }

  /**
   * Enters a code. The right one ends the waiting, as the last try does.
   * @param options.deviceId what the browser will be known by, unless it asked as a known one
   * @param options.isNewDevice whether it stays unknown until the owner of the address has been told
   * @param options.counters what a guess costs
   */
  async enter(
    { id, salt }: Pick<Challenge, 'id' | 'salt'>,
    code: string,
    options: { deviceId: string; isNewDevice: boolean; counters: Cost[] },
  ): Promise<Attempt> {
    const tag = tagIn(id);
    const sessionId = newSessionId(tag);
    const hashes = this.#secrets.map((secret) => hashOf(salt, code, secret));
    const { deviceId, isNewDevice, counters } = options;
    const keys = [keyOf(id), decoyKey(tag), unknownKey(tag, deviceId), sessionKey(sessionId)];
    const reply = await this.#run(enterScript, keys, counters, [
      ...[triesPerCode, repeatSeconds * 1000, memberOf(sessionId), deviceId],
      ...[isNewDevice ? cookieMaxAgeMs : 0, hashes.length, ...hashes],
    ]);
    const [outcome, ...details] = reply;
    switch (outcome) {
      case 'right':
        return { outcome, ...readGranted(tag, details) };
      case 'repeated':
        return { outcome, ...readGranted(tag, details), ageMs: Number(details[4]) };
      case 'wrong':
        return { outcome, triesLeft: Number(details[0]), isRefused: Number(details[1]) > 0 };
      default:
        return { outcome: 'over' };
    }
  }

  /** Whether the session that a right code stands for has never been stored. One that has ended was. */
  async isReserved({ sessionId }: Granted): Promise<boolean> {
    return (await readStoredText(this.#redis, sessionKey(sessionId))) === reserved;
  }

  /** Takes back what a right code has granted, before its session was stored. */
  async revoke({ sessionId }: Granted): Promise<void> {
    await withDeadline(deadlineMs, this.#redis.del(sessionKey(sessionId)));
  }

  /** Stops waiting for a code that was not mailed, and waits again for the one that it would have replaced. */
  async takeBack(id: string, { id: previousId, record, leftMs }: Replaced): Promise<void> {
    await this.#run(takeBackScript, [keyOf(id), keyOf(previousId)], [], [record, leftMs]);
  }

  async #run(script: string, keys: string[], counters: Cost[], values: (string | number)[]): Promise<unknown[]> {
    const costs = counters.flatMap(({ points, seconds, cost }) => [points, seconds, cost]);
    const options = {
      keys: [...keys, ...counters.map(({ key }) => key)],
      arguments: [...values, ...costs].map(String),
    };
    const reply = await withDeadline(deadlineMs, this.#redis.eval(script, options));
    return Array.isArray(reply) ? reply : [];
  }
}

function readGranted(tag: string, details: unknown[]): Granted {
  const [email, remember, deviceId, member] = details.map(String);
  return {
    ...{ email: email as EmailAddress, remember: remember === '1', deviceId: deviceId ?? '' },
    sessionId: `${tag}${member}`,
  };
}

/** The Redis key of a sign-in that waits. */
export function keyOf(id: string): string {
  return `c:${sessionKey(id)}`;
}

function hashOf(salt: string, code: string, secret: string): string {
  return createHmac('sha256', secret).update(`code:${salt}:${code}`).digest('base64url').slice(0, 22);
}
