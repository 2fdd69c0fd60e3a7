import type { SessionLimits } from '../../src/config.ts';
import { endOf, touchGrainSeconds } from '../../src/session/lifetime.ts';
import { handleOf, sessionKey } from '../../src/session/session-id.ts';
import type { Visitor } from '../support/visitor.ts';

/** When a request was sent, and when its answer was there; milliseconds since the epoch. */
export type Span = { from: number; to: number };

/** How long after its request was refused a command may still reach Redis; longer than any fault lasts. */
export const lateMs = 10_000;

/**
 * A session that the app said it had stored, and what follows from all that was said about it since: until when it
 * must be alive, and from when on it must be dead. In between, either is right.
 */
export class KnownSession {
  readonly visitor: Visitor;
  readonly handle: string;
  /** Nobody uses it, so that its idle limit ends it. */
  readonly abandoned: boolean;
  readonly #remember: boolean;
  readonly #limits: SessionLimits;
  readonly #signedIn: Span;
  readonly #seen: Span;
  #refused: Span | undefined;
  #state: 'live' | 'uncertain' | 'ended' = 'live';
  #uncertainUntil = 0;
  #latestDoubt = 0;

  constructor(
    visitor: Visitor,
    options: { remember: boolean; abandoned: boolean; limits: SessionLimits; signedIn: Span },
  ) {
    this.visitor = visitor;
    this.handle = handleOf(visitor.sessionId);
    this.abandoned = options.abandoned;
    this.#remember = options.remember;
    this.#limits = options.limits;
    // Whole seconds are stored.
    this.#signedIn = { from: Math.floor(options.signedIn.from / 1000) * 1000, to: options.signedIn.to };
    this.#seen = { ...this.#signedIn };
  }

  /** The Redis key under which it stands while it lives. */
  get key(): string {
    return sessionKey(this.visitor.sessionId);
  }

  get signedInAt(): number {
    return this.#signedIn.to;
  }

  /** The app must know it until then. */
  get livesUntil(): number {
    return this.#state === 'live' ? this.#endOf(this.#signedIn.from, this.#seen.from) : 0;
  }

  /** The app must not know it any more. */
  isDead(now: number): boolean {
    return this.#state === 'ended' || now > this.#endOf(this.#signedIn.to, this.#seen.to);
  }

  get isEnded(): boolean {
    return this.#state === 'ended';
  }

  /** The app said that it had ended it. */
  end(): void {
    this.#state = 'ended';
  }

  /** It may be ended before that moment, or may not; without one, for as long as a request to end it is under way. */
  doubt(until = Number.POSITIVE_INFINITY): void {
    if (this.#state === 'ended') return;
    this.#state = 'uncertain';
    if (Number.isFinite(until)) this.#latestDoubt = Math.max(this.#latestDoubt, until);
    this.#uncertainUntil = Number.isFinite(until) ? this.#latestDoubt : until;
  }

  /** A request with its cookie may have moved its idle limit on. */
  noteRequest(
    { from, to, mayBeUntouched }: Span & { mayBeUntouched: boolean },
    answer: 'signed in' | 'signed out' | 'refused',
  ): void {
    this.#seen.to = Math.max(this.#seen.to, to);
    if (answer === 'refused') this.#refused ??= { from, to };
    if (this.#refused && from > this.#refused.to + lateMs) this.#refused = undefined;
    if (answer !== 'signed in') return;
    const grainMs = touchGrainSeconds({ remember: this.#remember }, this.#limits) * 1000;
    // What was refused may be written later, with the moment at which it was asked for.
    const seen = Math.min(from - grainMs, this.#refused?.from ?? from);
    if (!mayBeUntouched) this.#seen.from = Math.max(this.#seen.from, seen);
    if (this.#state === 'uncertain' && from > this.#uncertainUntil) this.#state = 'live';
  }

  #endOf(signedInAt: number, lastSeenAt: number): number {
    return endOf({ signedInAt, lastSeenAt, remember: this.#remember }, this.#limits);
  }
}
