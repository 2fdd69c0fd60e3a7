/** When deferred mail is retried, and how long a mail server that accepts none is left alone. */
export type RetryPolicy = {
  /** Delay after the first deferral, and the shortest one. */
  minDelayMs: number;
  maxDelayMs: number;
  /** The next delay, as a fraction of the time since the first deferral. */
  growth: number;
  /** First and longest pause of a server that accepts no mail. */
  minPauseMs: number;
  maxPauseMs: number;
};

/**
 * A mail is tried nine times in its first minute and again at about 1.3, 1.9, 2.6, 3.7, 5.1 and 7.2 minutes, so that
 * a code gets past greylisting of five minutes, and then more often until it expires. A notice is tried hourly.
 */
export const defaultRetryPolicy: RetryPolicy = {
  minDelayMs: 3000,
  maxDelayMs: 3_600_000,
  growth: 0.4,
  minPauseMs: 1000,
  maxPauseMs: 15_000,
};

/**
 * How long a deferred mail waits for its next attempt, in milliseconds.
 * @param times since it was first deferred, and until it expires
 */
export function retryDelayMs(
  { minDelayMs, maxDelayMs, growth }: RetryPolicy,
  { deferredMs, leftMs }: { deferredMs: number; leftMs: number },
): number {
  return jitter(Math.max(minDelayMs, Math.min(maxDelayMs, deferredMs * growth, leftMs / 2)));
}

/** Varies a delay by 10 %, so that mails which failed together are not retried together. */
export function jitter(ms: number): number {
  return ms * (0.9 + Math.random() * 0.2);
}
