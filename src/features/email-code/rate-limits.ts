import { now } from '../../clock.ts';
import type { RedisClient } from '../../redis/client.ts';
import { clientCounters } from '../rate-limits/client-networks.ts';
import { type Counter, type Limit, takePoints } from '../rate-limits/take-points.ts';
import { giveBackPoints } from './give-back-points.ts';

const tenMinutes = 600;
const hour = 3600;
const day = 86_400;
/** Networks that were refused, of which a process knows: some 1 MB. */
const maxRefused = 5000;

/**
 * How often codes may be asked for and entered (ASVS 6.3.1). A browser is known to an address once it has signed in
 * there, and then has counters of its own, so that strangers can't use up its owner's, even behind the same router. It
 * follows how likely a guess is: strangers together have 40 guesses a day at an address, in 100 million codes.
 */
export const rateLimits = {
  /** Asking for a code, per client: an IPv4 address or an IPv6 /64; a /56 and a /48 have two and four times as many. */
  asksPerClient: [
    { points: 30, seconds: tenMinutes },
    { points: 1000, seconds: day },
  ],
  /** Entering a code, per client. */
  guessesPerClient: [
    { points: 30, seconds: tenMinutes },
    { points: 1000, seconds: day },
  ],
  /**
   * The same for known browsers. Whoever got hold of a session secret can make any number of those. A sign-in that
   * succeeds gives its points back, so that an office behind one address is not held up.
   */
  asksPerClientOfKnown: [{ points: 100, seconds: tenMinutes }],
  guessesPerClientOfKnown: [{ points: 100, seconds: tenMinutes }],
  /** Codes mailed to an address, for unknown browsers. */
  mailsPerAddress: [
    { points: 5, seconds: hour },
    { points: 20, seconds: day },
  ],
  /** Codes mailed to an address, for one browser that it knows. */
  mailsPerDevice: [
    { points: 10, seconds: hour },
    { points: 40, seconds: day },
  ],
  /** Codes mailed to an address, for all browsers that it knows. */
  mailsPerAddressOfKnown: [
    { points: 20, seconds: hour },
    { points: 60, seconds: day },
  ],
  /** Codes entered for an address in unknown browsers, right or wrong, whichever code it was (NIST 800-63B-4, 3.2.2). */
  guessesPerAddress: { points: 40, seconds: day },
  /** The same in one browser that it knows. */
  guessesPerDevice: { points: 40, seconds: day },
  /** The same in all browsers that it knows. */
  guessesPerAddressOfKnown: { points: 60, seconds: day },
} as const;

/** Why a code is not mailed. */
export type WithheldReason = (typeof withheldReasons)[number];
export const withheldReasons = [
  'not in ALLOWED_EMAILS',
  'enough mail for now',
  'enough guesses for now',
  /** All browsers that are new to their addresses are out of mail, until the hour is over. */
  'MAILS_PER_HOUR',
] as const;

/** A counter, and how many points an event takes from it. */
export type Cost = Counter & { cost: 0 | 1 };

/**
 * The counters of mails to an address, behind those that say whether its codes may still be guessed: a code that can't be
 * used is not mailed.
 * @param deviceId of a browser that the address knows
 */
export function mailCosts(tag: string, deviceId: string | undefined): Cost[] {
  const { mailsPerAddress, mailsPerDevice, mailsPerAddressOfKnown } = rateLimits;
  const guesses = guessCosts(tag, deviceId).map((counter) => ({ ...counter, cost: 0 as const }));
  if (deviceId === undefined) return [...guesses, ...costs(`l:{${tag}}mail`, mailsPerAddress)];
  return [
    ...guesses,
    ...costs(`l:{${tag}}mail:${deviceId}`, mailsPerDevice),
    ...costs(`l:{${tag}}mail-known`, mailsPerAddressOfKnown),
  ];
}

/**
 * The counters of guesses at the codes of an address.
 * @param deviceId of a browser that the address knows
 */
export function guessCosts(tag: string, deviceId: string | undefined): Cost[] {
  const { guessesPerAddress, guessesPerDevice, guessesPerAddressOfKnown } = rateLimits;
  if (deviceId === undefined) return costs(`l:{${tag}}guess`, [guessesPerAddress]);
  return [
    ...costs(`l:{${tag}}guess:${deviceId}`, [guessesPerDevice]),
    ...costs(`l:{${tag}}guess-known`, [guessesPerAddressOfKnown]),
  ];
}

/** What clients, and all mail together, are held to. Every method throws `RedisUnavailable`. */
export class RateLimits {
  readonly #redis: RedisClient;
  readonly #overall: Counter[];
  /** Until when a network's clients may be refused, by the key of its first counter. */
  readonly #refusedUntil = new Map<string, number>();

  /** @param mailsPerHour codes mailed in all to browsers that are new to their addresses */
  constructor(redis: RedisClient, mailsPerHour: number) {
    this.#redis = redis;
    this.#overall = [{ key: `l:{all-mail}${hour}`, points: mailsPerHour, seconds: hour }];
  }

  /**
   * Counts a client's request for a code, and takes one of the mails of this hour: at once, but for a client that was
   * refused before. That one must not hold the mails of others, not even until it has given them back.
   * @returns seconds until the client's next request is possible, 0 if this one is; and whether a mail was taken
   */
  async takeAsk(ip: string | undefined, isKnown: boolean): Promise<{ waitSeconds: number; hasMail: boolean }> {
    const counters = askCounters(ip, isKnown);
    const [{ key } = { key: '' }] = counters;
    const mayBeRefused = (this.#refusedUntil.get(key) ?? 0) > now();
    const waiting = this.#takeFromClient(counters);
    if (mayBeRefused && (await waiting) > 0) return { waitSeconds: await waiting, hasMail: false };
    const [waitSeconds, hasMail] = await Promise.all([waiting, this.takeMail()]);
    if (waitSeconds === 0) return { waitSeconds, hasMail };
    this.#rememberRefused(key, waitSeconds);
    // Should it fail, the hour has one mail less, which is no reason for another answer.
    await this.settleMail({ isGivenBack: hasMail }).catch(() => {});
    return { waitSeconds, hasMail: false };
  }

  /**
   * Counts a client's guess at a code.
   * @returns seconds until the next one is possible; 0 if this one is
   */
  takeGuess(ip: string | undefined, isKnown: boolean): Promise<number> {
    return this.#takeFromClient(guessCounters(ip, isKnown));
  }

  /** Gives a known browser back what its successful sign-in has cost. */
  async giveBackSignIn(ip: string | undefined): Promise<void> {
    await giveBackPoints(this.#redis, [...askCounters(ip, true), ...guessCounters(ip, true)]);
  }

  /** Takes one of the mails of this hour. */
  async takeMail(): Promise<boolean> {
    return (await takePoints(this.#redis, this.#overall, { decoy: decoyKey('all-mail') })) === 0;
  }

  /** Gives a mail back that does not count; or nothing, with the same commands. */
  async settleMail({ isGivenBack }: { isGivenBack: boolean }): Promise<void> {
    await giveBackPoints(this.#redis, this.#overall, isGivenBack ? 1 : 0);
  }

  /** Gives an address back a mail that could not be delivered; `MAILS_PER_HOUR` has been spent on it all the same. */
  async giveBackToAddress(tag: string, deviceId: string | undefined): Promise<void> {
    const taken = mailCosts(tag, deviceId).filter(({ cost }) => cost > 0);
    await giveBackPoints(this.#redis, taken);
  }

  #rememberRefused(key: string, waitSeconds: number): void {
    this.#refusedUntil.delete(key);
    this.#refusedUntil.set(key, now() + waitSeconds * 1000);
    const [oldest] = this.#refusedUntil.keys();
    if (this.#refusedUntil.size > maxRefused && oldest !== undefined) this.#refusedUntil.delete(oldest);
  }

  async #takeFromClient(counters: Counter[]): Promise<number> {
    return Math.ceil((await takePoints(this.#redis, counters)) / 1000);
  }
}

function askCounters(ip: string | undefined, isKnown: boolean): Counter[] {
  const { asksPerClient, asksPerClientOfKnown } = rateLimits;
  return isKnown ? clientCounters('ask-known', ip, asksPerClientOfKnown) : clientCounters('ask', ip, asksPerClient);
}

function guessCounters(ip: string | undefined, isKnown: boolean): Counter[] {
  const { guessesPerClient, guessesPerClientOfKnown } = rateLimits;
  return isKnown
    ? clientCounters('guess-known', ip, guessesPerClientOfKnown)
    : clientCounters('guess', ip, guessesPerClient);
}

/** Counts for nothing, so that a refusal takes the same commands as an acceptance. It lasts a second. */
export function decoyKey(tag: string): string {
  return `l:{${tag}}decoy`;
}

function costs(prefix: string, limits: readonly Limit[]): Cost[] {
  return limits.map(({ points, seconds }) => ({ key: `${prefix}:${seconds}`, points, seconds, cost: 1 }));
}
