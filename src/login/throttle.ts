import { isIPv6 } from 'node:net';
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { HttpError } from '../http-error.ts';
import { type RedisClient, within } from '../redis.ts';
import { tagOf } from '../session/record.ts';

type Limit = { points: number; seconds: number };
const hour = 3600;
const day = 86_400;

/**
 * How often what may happen. From these follows the chance of guessing a code: a stranger gets at most 20 codes
 * a day mailed to an address and five tries at each, 100 of 100 million, so one in a million per day.
 */
export const throttleLimits = {
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
} as const;

/** Counted for no other reason than that counting takes time. */
const keptBack = 'kept-back';

/** Limits on signing in by code, counted in Redis for all processes together (ASVS 6.3.1). */
export class Throttle {
  readonly #consume: (name: string, limit: Limit, key: string) => Promise<RateLimiterRes | undefined>;
  readonly #allMails: Limit;

  /** @param mailsPerHour codes mailed in all, known browsers excepted */
  constructor(redis: RedisClient, mailsPerHour: number, deadlineMs: number) {
    const limiters = new Map<string, RateLimiterRedis>();
    this.#allMails = { points: mailsPerHour, seconds: hour };
    this.#consume = async (name, limit, key) => {
      const limiterName = `${name}:${limit.seconds}`;
      const limiter =
        limiters.get(limiterName) ??
        new RateLimiterRedis({
          storeClient: redis,
          useRedisPackage: true,
          keyPrefix: `l:${limiterName}`,
          points: limit.points,
          duration: limit.seconds,
        });
      limiters.set(limiterName, limiter);
      return within(deadlineMs, limiter.consume(key).then(noRefusal, refusalOrError));
    };
  }

  /**
   * Counts a client's wish for a code.
   * @throws {HttpError} 429, which tells the client about nobody but itself
   */
  async countAsk(ip: string | undefined): Promise<void> {
    await this.#countClient('ask', throttleLimits.asksPerClient, ip);
  }

  /**
   * Counts a client's guess at a code.
   * @throws {HttpError} 429
   */
  async countGuess(ip: string | undefined): Promise<void> {
    await this.#countClient('guess', throttleLimits.guessesPerClient, ip);
  }

  /**
   * Counts a mail to an address, and says whether it may leave. A browser that this address signed in with has
   * its own count, so that strangers can't use up what its owner needs. Always the same number of Redis commands,
   * so that the time tells nothing.
   * @param options.listed whether the address may sign in at all; if not, nothing leaves and nobody's count goes down
   * @param options.deviceId of a browser that this address signed in with
   */
  async mayMail(email: string, options: { listed: boolean; deviceId: string | undefined }): Promise<boolean> {
    const { listed, deviceId } = options;
    const known = deviceId !== undefined;
    const limits = known ? throttleLimits.mailsPerDevice : throttleLimits.mailsPerAddress;
    const key = known ? tagOf(email) + deviceId : tagOf(email);
    let mayLeave = listed;
    for (const limit of limits) {
      // What the hour keeps back is not of the day: or twenty wishes in a minute would silence a day.
      const refusal = await this.#consume(known ? 'device' : 'mail', limit, mayLeave ? key : keptBack);
      mayLeave &&= refusal === undefined;
    }
    const overall = await this.#consume('all-mail', this.#allMails, mayLeave && !known ? 'new-browsers' : keptBack);
    return mayLeave && (known || overall === undefined);
  }

  async #countClient(name: string, limit: Limit, ip: string | undefined): Promise<void> {
    const refusal = await this.#consume(name, limit, clientOf(ip));
    if (!refusal) return;
    const waitSeconds = Math.max(1, Math.ceil(refusal.msBeforeNext / 1000));
    const minutes = Math.ceil(waitSeconds / 60);
    throw new HttpError(
      429,
      `That was too often. Please try again in ${minutes === 1 ? 'a minute' : `${minutes} minutes`}.`,
      { headers: { 'Retry-After': String(waitSeconds) } },
    );
  }
}

function noRefusal(): undefined {
  return undefined;
}

function refusalOrError(reason: unknown): RateLimiterRes {
  if (reason instanceof RateLimiterRes) return reason;
  throw reason;
}

/** Who counts as one client: an IPv4 address, or the /64 network that one IPv6 customer has to choose from. */
export function clientOf(ip: string | undefined): string {
  if (ip === undefined) return 'unknown';
  // Some proxies write the port along, which a client has many of.
  const ipv4 = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)(?::\d+)?$/i.exec(ip)?.[1];
  if (ipv4 !== undefined) return ipv4;
  if (!isIPv6(ip)) return ip;
  const [head = '', tail] = ip.split('::');
  const groups = head === '' ? [] : head.split(':');
  const tailGroups = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - groups.length - tailGroups.length) }, () => '0');
  const network = [...groups, ...zeros, ...tailGroups].slice(0, 4);
  return `${network.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}
