import type { Lane } from './queue.ts';

/** How patient the outbox is. */
export type RetryPolicy = {
  /** After the first deferral, and at least. */
  minDelayMs: number;
  maxDelayMs: number;
  /** The next delay, as a part of the time that the mail has been deferred for. */
  growth: number;
  /** How long a server that takes no mail is left alone, first and at most. */
  minPauseMs: number;
  maxPauseMs: number;
};

/**
 * A mail is tried nine times in its first minute and again at about 1.3, 1.9, 2.6, 3.7, 5.1 and 7.2 minutes, so that
 * a code arrives through a greylisting of five minutes; a notice is then tried hourly for the rest of its day.
 */
export const defaultRetryPolicy: RetryPolicy = {
  minDelayMs: 3000,
  maxDelayMs: 3_600_000,
  growth: 0.4,
  minPauseMs: 1000,
  maxPauseMs: 15_000,
};

/**
 * When a deferred mail is tried again.
 * @param deferredMs since it was first deferred
 */
export function retryDelayMs({ minDelayMs, maxDelayMs, growth }: RetryPolicy, deferredMs: number): number {
  return spread(Math.min(maxDelayMs, Math.max(minDelayMs, deferredMs * growth)));
}

// What failed together must not come back together.
export function spread(ms: number): number {
  return ms * (0.9 + Math.random() * 0.2);
}

/** How long a recipient's server may take while others wait for its place, in milliseconds. */
export function patienceOf(lane: Lane, isWaiting: { high: boolean; normal: boolean }): number {
  const [short, long] = [1000, 5000];
  switch (lane) {
    case 'high':
      return isWaiting.high ? long : Number.POSITIVE_INFINITY;
    case 'normal':
      if (isWaiting.high) return short;
      return isWaiting.normal ? long : Number.POSITIVE_INFINITY;
    case 'slow':
      return isWaiting.high || isWaiting.normal ? short : Number.POSITIVE_INFINITY;
    case 'withheld':
      return Number.POSITIVE_INFINITY;
  }
}
