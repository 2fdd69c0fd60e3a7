import { afterEach, expect, test, vi } from 'vitest';
import { Recent } from '../../src/features/performance/recent.ts';

afterEach(() => vi.useRealTimers());

test('only the very same key is found, for less than two minutes', () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  const recent = new Recent<string>(5000);
  recent.add('cookie', 'id');
  for (const other of ['cookie ', 'cooki', 'Cookie', '']) expect(recent.find(other)).toBeUndefined();
  vi.advanceTimersByTime(59_000);
  expect(recent.find('cookie')).toBe('id');
  vi.advanceTimersByTime(1000);
  expect(recent.find('cookie')).toBe('id');
  vi.advanceTimersByTime(60_000);
  expect(recent.find('cookie')).toBeUndefined();
  recent.add('seldom', 'id');
  vi.advanceTimersByTime(119_000);
  expect(recent.find('seldom')).toBe('id');
  vi.advanceTimersByTime(1000);
  expect(recent.find('seldom')).toBeUndefined();
  recent.add('idle', 'id');
  vi.advanceTimersByTime(120_000);
  expect(recent.find('idle')).toBeUndefined();
  expect(vi.getTimerCount()).toBe(0);
});

test('it keeps no process running', () => {
  const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
  const before = timers();
  new Recent<string>(1).add('cookie', 'id');
  expect(timers()).toBe(before);
});

test('it holds two generations at most, with the latest ones', () => {
  const recent = new Recent<string>(5000);
  const cookies = Array.from({ length: 30_000 }, (_, index) => `cookie ${index}`);
  for (const cookie of cookies) recent.add(cookie, 'id');
  const found = cookies.filter((cookie) => recent.find(cookie) !== undefined);
  expect(found).toEqual(cookies.slice(-10_000));
});

test('what is added again takes the place of what was there, and drops nothing', () => {
  const recent = new Recent<number>(1);
  recent.add('a', 1);
  recent.add('b', 2);
  for (const value of [3, 4, 5]) recent.add('b', value);
  expect([recent.find('a'), recent.find('b')]).toEqual([1, 5]);
});
