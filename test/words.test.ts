import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { agoWords, durationWords, timeWords } from '../src/words.ts';

describe('timeWords', () => {
  test('names the day, the time and the zone', () => {
    expect(timeWords(Date.UTC(2026, 10, 23, 20, 4))).toBe('Mon, 23 Nov 2026, 20:04 UTC');
  });
});

describe('durationWords', () => {
  test.each([
    [1, '1 second'],
    [45, '45 seconds'],
    [60, '1 minute'],
    [1800, '30 minutes'],
    [5400, '90 minutes'],
    [3600, '1 hour'],
    [28_800, '8 hours'],
    [129_600, '36 hours'],
    [86_400, '1 day'],
    [1_209_600, '14 days'],
  ])('says %i s exactly: %s', (seconds, words) => {
    expect(durationWords(seconds)).toBe(words);
  });
});

describe('agoWords', () => {
  const now = Date.UTC(2026, 10, 23, 20, 4);
  beforeEach(() => {
    vi.useFakeTimers({ now });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each([
    [0, 'just now'],
    [89, 'just now'],
    [90, '1 minute ago'],
    [3599, '59 minutes ago'],
    [3600, '1 hour ago'],
    [86_399, '23 hours ago'],
    [200_000, '2 days ago'],
  ])('says of a moment %i s back: %s', (seconds, words) => {
    expect(agoWords(now - seconds * 1000)).toBe(words);
  });

  test('takes a moment of a clock ahead of ours for now', () => {
    expect(agoWords(now + 5000)).toBe('just now');
  });
});
