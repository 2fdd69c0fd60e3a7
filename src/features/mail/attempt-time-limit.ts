import type { Claim, Lane } from './queue.ts';

/** An attempt may take this long while other mail waits, unless the mail server itself is slower. */
const minLimitMs = 1000;
/** The limit is at least so many times the mail server's own time. */
const factor = 3;
/** The server's own time is the shortest of this many attempts: slow recipients can only make theirs longer. */
const maxRemembered = 20;
/**
 * After so many slow attempts in a row, and so long after the last was accepted, one attempt has no limit. Otherwise a
 * server that has become slow for everybody would get no mail.
 */
const maxSlowInARow = 10;
const maxWithoutAcceptedMs = 60_000;

/** Decides how long an attempt may keep other mail waiting. */
export class AttemptTimeLimit {
  readonly #acceptedMs: number[] = [];
  #slowInARow = 0;
  #stuckSince = Number.NEGATIVE_INFINITY;
  #unlimited: string | undefined;

  noteAccepted(tookMs: number): void {
    this.#acceptedMs.push(tookMs);
    if (this.#acceptedMs.length > maxRemembered) this.#acceptedMs.shift();
    this.#slowInARow = 0;
    this.#stuckSince = performance.now();
  }

  noteSlow(): void {
    this.#slowInARow += 1;
  }

  noteEnded(id: string): void {
    if (this.#unlimited === id) this.#unlimited = undefined;
  }

  /**
   * How much longer an attempt may take, in milliseconds. `Infinity` if it keeps nobody waiting; 0 or less if it has to
   * be broken off.
   * @param tookMs how long it has taken so far
   */
  remainingMs(id: string, lane: Lane, isWaiting: Claim['isWaiting'], tookMs: number): number {
    if (!mustYield(lane, isWaiting)) return Number.POSITIVE_INFINITY;
    if ((lane === 'high' || !isWaiting.high) && this.#isUnlimited(id)) return Number.POSITIVE_INFINITY;
    const ownMs = this.#acceptedMs.length === 0 ? 0 : Math.min(...this.#acceptedMs);
    return Math.max(minLimitMs, factor * ownMs) - tookMs;
  }

  #isUnlimited(id: string): boolean {
    const isStuck = this.#slowInARow >= maxSlowInARow && performance.now() - this.#stuckSince > maxWithoutAcceptedMs;
    if (this.#unlimited === undefined && isStuck) {
      this.#unlimited = id;
      this.#slowInARow = 0;
      this.#stuckSince = performance.now();
    }
    return this.#unlimited === id;
  }
}

function mustYield(lane: Lane, { high, normal }: Claim['isWaiting']): boolean {
  switch (lane) {
    case 'high':
      return high;
    case 'normal':
    case 'slow':
      return high || normal;
    case 'withheld':
      return false;
  }
}
