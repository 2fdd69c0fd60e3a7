import { describe, expect, test } from 'vitest';
import { defaultRetryPolicy, retryDelayMs } from '../../src/features/mail/retry.ts';

/** When a mail that is always deferred is tried, in seconds after the request. */
function attempts(ttlSeconds: number): number[] {
  const times = [0];
  for (let now = 0; now < ttlSeconds; ) {
    now += retryDelayMs(defaultRetryPolicy, { deferredMs: now * 1000, leftMs: (ttlSeconds - now) * 1000 }) / 1000;
    times.push(now);
  }
  return times.filter((time) => time < ttlSeconds);
}

describe('a mail that is deferred each time', () => {
  test('is tried often at first, and until shortly before it expires', () => {
    const times = attempts(600);
    expect(times.filter((time) => time <= 60).length).toBeGreaterThanOrEqual(8);
    expect(times.filter((time) => time > 60 && time < 480).length).toBeLessThanOrEqual(8);
    expect(times.some((time) => time > 300 && time < 480)).toBe(true);
    expect(600 - (times.at(-1) ?? 0)).toBeLessThan(10);
  });

  test('is tried hourly if it may take a day', () => {
    const times = attempts(86_400);
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(3960);
    expect(times.length).toBeLessThan(75);
  });
});
