import { afterEach, expect, test, vi } from 'vitest';
import { RecentCache } from '../../src/features/performance/recent-cache.ts';

afterEach(() => vi.useRealTimers());

test('only the very same key is found, for less than two minutes', () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  const recent = new RecentCache<string>(5000);
  recent.set('cookie', 'id');
  for (const other of ['cookie ', 'cooki', 'Cookie', '']) expect(recent.get(other)).toBeUndefined();
  vi.advanceTimersByTime(59_000);
  expect(recent.get('cookie')).toBe('id');
  vi.advanceTimersByTime(1000);
  expect(recent.get('cookie')).toBe('id');
  vi.advanceTimersByTime(60_000);
  expect(recent.get('cookie')).toBeUndefined();
  recent.set('seldom', 'id');
  vi.advanceTimersByTime(119_000);
  expect(recent.get('seldom')).toBe('id');
  vi.advanceTimersByTime(1000);
  expect(recent.get('seldom')).toBeUndefined();
  recent.set('idle', 'id');
  vi.advanceTimersByTime(120_000);
  expect(recent.get('idle')).toBeUndefined();
  expect(vi.getTimerCount()).toBe(0);
});

test('its timer does not keep the process alive', () => {
  const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
  const before = timers();
  new RecentCache<string>(1).set('cookie', 'id');
  expect(timers()).toBe(before);
});

test('it keeps the latest two generations and drops the rest', () => {
  const recent = new RecentCache<string>(5000);
  const cookies = Array.from({ length: 30_000 }, (_, index) => `cookie ${index}`);
  for (const cookie of cookies) recent.set(cookie, 'id');
  const found = cookies.filter((cookie) => recent.get(cookie) !== undefined);
  expect(found).toEqual(cookies.slice(-10_000));
});

test('what is added again takes the place of what was there, and drops nothing', () => {
  const recent = new RecentCache<number>(1);
  recent.set('a', 1);
  recent.set('b', 2);
  for (const value of [3, 4, 5]) recent.set('b', value);
  expect([recent.get('a'), recent.get('b')]).toEqual([1, 5]);
});
