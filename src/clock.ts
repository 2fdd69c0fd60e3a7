let aheadMs = 0;

/** The time by which sessions live: that of Redis, as far as it is known. Milliseconds since the epoch. */
export function now(): number {
  return Date.now() - aheadMs;
}

/** Says by how much this machine's clock is ahead of that of Redis. @public for a feature that compares them */
export function correctClock(milliseconds: number): void {
  aheadMs = milliseconds;
}
