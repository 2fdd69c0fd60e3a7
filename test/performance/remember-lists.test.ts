import { expect, test, vi } from 'vitest';
import { rememberLists } from '../../src/features/performance/remember-lists.ts';
import type { ListEntry } from '../../src/session/session-index.ts';

const listed = { handle: 'handle', device: undefined, signedInAt: 1, lastSeenAt: 1, isBound: false };

function remembering() {
  const readList = vi.fn((tag: string, reply: string): ListEntry[] => [{ sessionId: tag + reply, listed }]);
  return { readList, remembered: rememberLists({ readList }) };
}

test('a list is read once as long as the reply is the very same', () => {
  const { readList, remembered } = remembering();
  const first = remembered('ann', 'reply');
  expect(first).toEqual([{ sessionId: 'annreply', listed }]);
  expect(remembered('ann', ['rep', 'ly'].join(''))).toBe(first);
  expect(readList).toHaveBeenCalledTimes(1);
  for (const [tag, reply] of [
    ['bob', 'reply'],
    ['ann', 'replies'],
    ['ann', ''],
    ['ann', 'reply'],
  ] as const) {
    expect(remembered(tag, reply)).toEqual([{ sessionId: tag + reply, listed }]);
  }
  expect(readList).toHaveBeenCalledTimes(5);
});

test('nobody can change what others are shown', () => {
  const { remembered } = remembering();
  const [entry] = remembered('ann', 'reply');
  expect(() => Object.assign(entry?.listed ?? {}, { device: 'changed' })).toThrow(TypeError);
});

test('a very long list is read each time', () => {
  const { readList, remembered } = remembering();
  for (const reply of ['x'.repeat(20_000), 'x'.repeat(20_000)]) remembered('ann', reply);
  expect(readList).toHaveBeenCalledTimes(2);
});
