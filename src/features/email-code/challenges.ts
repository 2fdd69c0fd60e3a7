import { createHmac, randomBytes, randomInt } from 'node:crypto';
import type { SessionSecrets } from '../../config.ts';
import { type RedisClient, withDeadline } from '../../redis/connect.ts';
import type { EmailAddress } from '../../session/email-address.ts';

/** A sign-in that waits for its code. */
export type Challenge = {
  email: EmailAddress;
  remember: boolean;
  next: string;
  /** Of the known browser that asked, if it was one. */
  deviceId?: string | undefined;
};

/** What became of a code that was entered. */
export type Attempt =
  | { outcome: 'right'; challenge: Challenge }
  | { outcome: 'wrong'; triesLeft: number }
  /** Too late, too often, used already, or asked for by another browser: the visitor can't tell, and need not. */
  | { outcome: 'over' };

/** Eight digits are 26 bits (ASVS 6.5.4 asks for 20), and can be read out from a phone. */
export const codeDigits = 8;
/** ASVS 6.5.5. */
export const codeSeconds = 600;
export const triesPerCode = 5;

// One step in Redis: of any number of requests at once, one gets the right code accepted, and none gets a try
// that is not counted (ASVS 6.5.1).
const attemptScript = `
local code = redis.call('HMGET', KEYS[1], 'hash', 'tries_good_for', 'until')
if not code[1] then return {'over'} end
local tries = redis.call('HINCRBY', KEYS[1], 'tries', 1)
if tries <= tonumber(code[2]) and tonumber(ARGV[1]) < tonumber(code[3]) then
  for position = 2, #ARGV do
    if ARGV[position] == code[1] then
      local data = redis.call('HGET', KEYS[1], 'data')
      redis.call('DEL', KEYS[1])
      return {'right', data}
    end
  end
end
if tries >= ${triesPerCode} then
  redis.call('DEL', KEYS[1])
  return {'over'}
end
return {'wrong', tostring(${triesPerCode} - tries)}`;

// In one step as well: of any number of wishes for another code at once, one takes this one along.
const takeScript = `
local code = redis.call('HMGET', KEYS[1], 'hash', 'salt', 'tries_good_for', 'until', 'tries', 'data')
redis.call('DEL', KEYS[1])
return code`;

/** A code as Redis keeps it. */
type KeptCode = { hash: string; salt: string; triesGoodFor: number; until: number };

/**
 * Sign-ins that wait for their codes. Each lives in Redis under a random id, which only the browser that asked
 * holds, in a cookie: a code is worth nothing elsewhere (ASVS 6.6.2). Of the code only a keyed hash is stored
 * (ASVS 6.5.2).
 */
export class Challenges {
  readonly #redis: RedisClient;
  readonly #secrets: SessionSecrets;
  readonly #deadlineMs: number;

  constructor(redis: RedisClient, secrets: SessionSecrets, deadlineMs: number) {
    this.#redis = redis;
    this.#secrets = secrets;
    this.#deadlineMs = deadlineMs;
  }

  /**
   * Begins to wait for a code, in place of what the same browser waited for before.
   * @param options.willBeMailed whether its code will be; one that is kept back must not be guessed either, or
   * asking again and again would buy any number of guesses. The code that came before it stays good then, as long and
   * for as many tries as it was: or an impatient visitor would lose the one code that did arrive.
   * @param options.previousId what the browser waited under
   * @throws {RedisUnavailable}
   */
  async start(
    challenge: Challenge,
    options: { willBeMailed: boolean; previousId?: string | undefined },
  ): Promise<{ id: string; code: string }> {
    const { willBeMailed, previousId } = options;
    const id = randomBytes(16).toString('base64url');
    const code = String(randomInt(10 ** codeDigits)).padStart(codeDigits, '0');
    const earlier = await this.#take(previousId, challenge.email);
    const kept = willBeMailed ? this.#keep(code) : (earlier ?? this.#keep());
    const fields = {
      hash: kept.hash,
      salt: kept.salt,
      tries_good_for: kept.triesGoodFor,
      until: kept.until,
      data: JSON.stringify(challenge),
    };
    const write = this.#redis.multi().hSet(keyOf(id), fields).expire(keyOf(id), codeSeconds).exec();
    await withDeadline(this.#deadlineMs, write);
    return { id, code };
  }

  /**
   * The sign-in that waits under this id, if one does; it is left as it is.
   * @throws {RedisUnavailable}
   */
  async find(id: string | undefined): Promise<Challenge | undefined> {
    if (id === undefined) return undefined;
    const data = await withDeadline(this.#deadlineMs, this.#redis.hGet(keyOf(id), 'data'));
    return data ? JSON.parse(data) : undefined;
  }

  /**
   * Enters a code for the sign-in that waits under this id. The right one ends the waiting, as the last try does.
   * @throws {RedisUnavailable}
   */
  async attempt(id: string, code: string): Promise<Attempt> {
    const salt = (await withDeadline(this.#deadlineMs, this.#redis.hGet(keyOf(id), 'salt'))) ?? '';
    const hashes = this.#secrets.map((secret) => hashOf(salt, code, secret));
    const step = { keys: [keyOf(id)], arguments: [String(Date.now()), ...hashes] };
    const reply = await withDeadline(this.#deadlineMs, this.#redis.eval(attemptScript, step));
    const [outcome, detail] = Array.isArray(reply) ? reply.map(String) : [];
    if (outcome === 'right' && detail !== undefined) return { outcome, challenge: JSON.parse(detail) };
    if (outcome === 'wrong') return { outcome, triesLeft: Number(detail) };
    return { outcome: 'over' };
  }

  /** @param code undefined for one that nobody can enter */
  #keep(code = randomBytes(16).toString('base64url')): KeptCode {
    const salt = randomBytes(16).toString('base64url');
    const hash = hashOf(salt, code, this.#secrets[0]);
    return { hash, salt, triesGoodFor: triesPerCode, until: Date.now() + codeSeconds * 1000 };
  }

  async #take(id: string | undefined, email: string): Promise<KeptCode | undefined> {
    if (id === undefined) return undefined;
    const reply = await withDeadline(this.#deadlineMs, this.#redis.eval(takeScript, { keys: [keyOf(id)] }));
    const fields: unknown[] = Array.isArray(reply) ? reply : [];
    const [hash, salt, triesGoodFor, until, tries, data] = fields.map((field) =>
      typeof field === 'string' ? field : undefined,
    );
    if (!hash || !salt || !data || JSON.parse(data).email !== email) return undefined;
    return { hash, salt, triesGoodFor: Math.max(0, Number(triesGoodFor) - Number(tries ?? 0)), until: Number(until) };
  }
}

/**
 * The digits of a code as people enter it, with spaces and dashes from reading or pasting.
 * @returns undefined for what can't be a code, which costs no try
 */
export function readCode(typed: unknown): string | undefined {
  if (typeof typed !== 'string' || typed.length > 100) return undefined;
  const digits = typed.replace(/[\s\p{Pd}.]/gu, '');
  return new RegExp(`^\\d{${codeDigits}}$`).test(digits) ? digits : undefined;
}

/** A code in groups, as it is easily read. */
export function groupCode(code: string): string {
  return code.replace(/(?<=^\d{4})/, ' ');
}

function keyOf(id: string): string {
  return `c:${id}`;
}

function hashOf(salt: string, code: string, secret: string): string {
  return createHmac('sha256', secret).update(`code:${salt}:${code}`).digest('base64url');
}
