import { isIPv4, isIPv6 } from 'node:net';
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { HttpError } from '../../http/http-error.ts';
import { type RedisClient, withDeadline } from '../../redis/connect.ts';
import { tagOf } from '../../session/record.ts';

const hour = 3600;
const day = 86_400;

/**
 * How often what may happen. From these follows the chance of guessing a code: at an address, strangers get 40
 * guesses a day in all, at codes of 100 million each.
 */
export const rateLimits = {
  /** Asking for a code, per client. */
  asksPerClient: { points: 30, seconds: 600 },
  /** Entering a code, per client. */
  guessesPerClient: { points: 30, seconds: 600 },
  /** Codes mailed to an address on behalf of browsers that it never signed in with. */
  mailsPerAddress: [
    { points: 5, seconds: hour },
    { points: 20, seconds: day },
  ],
  /** Codes mailed to an address on behalf of one browser that it did sign in with: nobody else can use these up. */
  mailsPerDevice: [
    { points: 10, seconds: hour },
    { points: 40, seconds: day },
  ],
  /** Codes entered for an address, right or wrong, in browsers that it never signed in with. */
  guessesPerAddress: { points: 40, seconds: day },
  /** The same in one browser that it did sign in with. */
  guessesPerDevice: { points: 40, seconds: day },
} as const;

type Limit = { points: number; seconds: number };

/** Counted for no other reason than that counting takes time. */
const keptBack = 'kept-back';
const newBrowsers = 'new-browsers';

/** Why a code is not mailed. */
export type WithheldReason =
  | 'not in ALLOWED_EMAILS'
  | 'enough mail for now'
  | 'enough guesses for now'
  /** All browsers that are new to their addresses are out of mail, until the hour is over. */
  | 'MAILS_PER_HOUR';

/**
 * Limits on signing in by code, counted in Redis for all processes together (ASVS 6.3.1). A browser that the address
 * signed in with has counts of its own, so that strangers, even behind the same router, can't use up its owner's.
 */
export class RateLimits {
  readonly #deadlineMs: number;
  readonly #asks: RateLimiterRedis;
  readonly #guesses: RateLimiterRedis;
  readonly #mailsToAddress: RateLimiterRedis[];
  readonly #mailsForDevice: RateLimiterRedis[];
  readonly #guessesAtAddress: RateLimiterRedis;
  readonly #guessesOnDevice: RateLimiterRedis;
  readonly #mailsInAll: RateLimiterRedis;

  /** @param mailsPerHour codes mailed in all, known browsers excepted */
  constructor(redis: RedisClient, mailsPerHour: number, deadlineMs: number) {
    const limiter = (name: string, { points, seconds }: Limit) =>
      new RateLimiterRedis({
        storeClient: redis,
        useRedisPackage: true,
        keyPrefix: `l:${name}:${seconds}`,
        points,
        duration: seconds,
      });
    this.#deadlineMs = deadlineMs;
    this.#asks = limiter('ask', rateLimits.asksPerClient);
    this.#guesses = limiter('guess', rateLimits.guessesPerClient);
    this.#mailsToAddress = rateLimits.mailsPerAddress.map((limit) => limiter('mail', limit));
    this.#mailsForDevice = rateLimits.mailsPerDevice.map((limit) => limiter('device', limit));
    this.#guessesAtAddress = limiter('guess-address', rateLimits.guessesPerAddress);
    this.#guessesOnDevice = limiter('guess-device', rateLimits.guessesPerDevice);
    this.#mailsInAll = limiter('all-mail', { points: mailsPerHour, seconds: hour });
  }

  /**
   * Counts a client's wish for a code.
   * @param deviceId of a browser that the address signed in with
   * @throws {HttpError} 429, which tells the client about nobody but itself
   */
  async countAsk(ip: string | undefined, deviceId: string | undefined): Promise<void> {
    await this.#countClient(this.#asks, ip, deviceId);
  }

  /**
   * Counts a client's guess at a code.
   * @param deviceId of a browser that the address signed in with
   * @throws {HttpError} 429
   */
  async countGuess(ip: string | undefined, deviceId: string | undefined): Promise<void> {
    await this.#countClient(this.#guesses, ip, deviceId);
  }

  /**
   * Counts a guess at a code of an address, whichever code it is, and says whether it may be right: a new code must
   * not bring new guesses (NIST SP 800-63B-4, 3.2.2).
   * @param deviceId of a browser that the address signed in with
   * @throws {RedisUnavailable}
   */
  async mayGuess(email: string, deviceId: string | undefined): Promise<boolean> {
    const refusal =
      deviceId === undefined
        ? await this.#consume(this.#guessesAtAddress, tagOf(email))
        : await this.#consume(this.#guessesOnDevice, tagOf(email) + deviceId);
    return refusal === undefined;
  }

  /**
   * Counts a mail to an address, and says why it may not leave, if so. Always the same number of Redis commands, so
   * that the time tells nothing.
   * @param options.listed whether the address may sign in at all; if not, nothing leaves and nobody's count goes down
   * @param options.deviceId of a browser that this address signed in with
   * @throws {RedisUnavailable}
   */
  async checkMailLimits(
    email: string,
    options: { listed: boolean; deviceId: string | undefined },
  ): Promise<WithheldReason | undefined> {
    const { listed, deviceId } = options;
    const known = deviceId !== undefined;
    const key = known ? tagOf(email) + deviceId : tagOf(email);
    let refusal: WithheldReason | undefined = listed ? undefined : 'not in ALLOWED_EMAILS';
    // Asked before anything is counted: what all mail together holds back is not of the address.
    const guessesUsedUp = await this.#isUsedUp(known ? this.#guessesOnDevice : this.#guessesAtAddress, key);
    const allUsedUp = await this.#isUsedUp(this.#mailsInAll, newBrowsers);
    if (guessesUsedUp) refusal ??= 'enough guesses for now';
    if (allUsedUp && !known) refusal ??= 'MAILS_PER_HOUR';
    for (const limiter of known ? this.#mailsForDevice : this.#mailsToAddress) {
      // What the hour keeps back is not of the day: or twenty wishes in a minute would silence a day.
      if (await this.#consume(limiter, refusal ? keptBack : key)) refusal ??= 'enough mail for now';
    }
    const overall = await this.#consume(this.#mailsInAll, refusal || known ? keptBack : newBrowsers);
    if (overall && !known) refusal ??= 'MAILS_PER_HOUR';
    return refusal;
  }

  async #countClient(limiter: RateLimiterRedis, ip: string | undefined, deviceId: string | undefined): Promise<void> {
    const refusal = await this.#consume(limiter, deviceId ?? clientOf(ip));
    if (!refusal) return;
    const waitSeconds = Math.max(1, Math.ceil(refusal.msBeforeNext / 1000));
    const minutes = Math.ceil(waitSeconds / 60);
    throw new HttpError(
      429,
      `That was too often. Please try again in ${minutes === 1 ? 'a minute' : `${minutes} minutes`}.`,
      { headers: { 'Retry-After': String(waitSeconds) } },
    );
  }

  async #isUsedUp(limiter: RateLimiterRedis, key: string): Promise<boolean> {
    const count = await withDeadline(this.#deadlineMs, limiter.get(key));
    return count !== null && count.consumedPoints >= limiter.points;
  }

  /** @returns undefined, or how it was refused */
  #consume(limiter: RateLimiterRedis, key: string): Promise<RateLimiterRes | undefined> {
    return withDeadline(this.#deadlineMs, limiter.consume(key).then(noRefusal, refusalOrError));
  }
}

function noRefusal(): undefined {
  return undefined;
}

function refusalOrError(reason: unknown): RateLimiterRes {
  if (reason instanceof RateLimiterRes) return reason;
  throw reason;
}

/**
 * Who counts as one client: an IPv4 address, or the /64 network that one IPv6 customer has to choose from. Some
 * proxies write the port along, which a client has many of; what is no address is one client, whatever it says.
 */
export function clientOf(ip: string | undefined): string {
  const address = /^\[(.+)\](?::\d+)?$/.exec(ip ?? '')?.[1] ?? /^([\d.]+):\d+$/.exec(ip ?? '')?.[1] ?? ip ?? '';
  if (isIPv4(address)) return address;
  if (!isIPv6(address) || address.includes('%')) return 'unknown';
  const [head = '', tail = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const [first, last] = [head.split(':').filter(Boolean), tail.split(':').filter(Boolean)];
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0');
  const groups = [...first, ...zeros, ...last];
  const isMapped = groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff';
  if (!isMapped) return `${groups.slice(0, 4).join(':')}::/64`;
  const bytes = Buffer.from(
    groups
      .slice(6)
      .map((group) => group.padStart(4, '0'))
      .join(''),
    'hex',
  );
  return bytes.join('.');
}
