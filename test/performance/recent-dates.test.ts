import { expect, test, vi } from 'vitest';
import { rememberDates } from '../../src/features/performance/recent-dates.ts';
import { formatTime, isoTime } from '../../src/http/date-format.ts';

test('dates that are remembered are written as they were, on any number of days', () => {
  const words = { formatTime: vi.fn(formatTime), isoTime: vi.fn(isoTime) };
  const { formatTime: formats } = words;
  rememberDates(words);
  for (let count = 0; count < 1000; count += 1) {
    const moment = Date.UTC(2026, 0, 1) + count * 97_531_357;
    for (const later of [0, 61_000, 3_599_999]) {
      expect(words.formatTime(moment + later)).toBe(formatTime(moment + later));
      expect(words.isoTime(moment + later)).toBe(isoTime(moment + later));
    }
  }
  // Two or three moments on each of 1,100 days.
  expect(formats.mock.calls.length).toBeLessThan(1200);
});
