import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { formatAgo, formatDuration, formatTime, isoTime } from '../../src/http/date-format.ts';

describe('formatTime', () => {
  test('names the day, the time and the zone', () => {
    expect(formatTime(Date.UTC(2026, 10, 23, 20, 4))).toBe('Mon, 23 Nov 2026, 20:04 UTC');
    expect(formatTime(Date.UTC(2027, 8, 5, 0, 59, 59, 999))).toBe('Sun, 5 Sep 2027, 00:59 UTC');
  });

  test('and isoTime agree with Date about any second, on any number of days', () => {
    for (let count = 0; count < 1000; count += 1) {
      const moment = Date.UTC(2026, 0, 1) + count * 97_531_357;
      const iso = new Date(moment).toISOString();
      expect(isoTime(moment)).toBe(iso.replace(/\.\d+Z$/, 'Z'));
      expect(formatTime(moment)).toContain(`, ${iso.slice(11, 16)} UTC`);
      expect(Date.parse(formatTime(moment))).toBe(Math.floor(moment / 60_000) * 60_000);
    }
  });
});

describe('formatDuration', () => {
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
    expect(formatDuration(seconds)).toBe(words);
  });
});

describe('formatAgo', () => {
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
    expect(formatAgo(now - seconds * 1000)).toBe(words);
  });

  test('takes a moment of a clock ahead of ours for now', () => {
    expect(formatAgo(now + 5000)).toBe('just now');
  });

  test('counts up to another moment than now if it is given one', () => {
    expect(formatAgo(now, now + 150_000)).toBe('2 minutes ago');
  });
});
