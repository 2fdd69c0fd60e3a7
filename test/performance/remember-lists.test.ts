import { expect, test, vi } from 'vitest';
import { rememberLists } from '../../src/features/performance/remember-lists.ts';
import type { ListEntry } from '../../src/session/session-index.ts';

const session = { signedInAt: 1, lastSeenAt: 1, remember: false };

function remembering() {
  const readList = vi.fn((tag: string, reply: string): ListEntry[] => [{ sessionId: tag + reply, session }]);
  return { readList, remembered: rememberLists({ readList }) };
}

test('a list is read once as long as the reply is the very same', () => {
  const { readList, remembered } = remembering();
  const first = remembered('ann', 'reply');
  expect(first).toEqual([{ sessionId: 'annreply', session }]);
  expect(remembered('ann', ['rep', 'ly'].join(''))).toBe(first);
  expect(readList).toHaveBeenCalledTimes(1);
  for (const [tag, reply] of [
    ['bob', 'reply'],
    ['ann', 'replies'],
    ['ann', ''],
    ['ann', 'reply'],
  ] as const) {
    expect(remembered(tag, reply)).toEqual([{ sessionId: tag + reply, session }]);
  }
  expect(readList).toHaveBeenCalledTimes(5);
});

test('a very long list is read each time', () => {
  const { readList, remembered } = remembering();
  for (const reply of ['x'.repeat(8192), 'x'.repeat(8192)]) remembered('ann', reply);
  expect(readList).toHaveBeenCalledTimes(1);
  for (const reply of ['x'.repeat(8193), 'x'.repeat(8193)]) remembered('ann', reply);
  expect(readList).toHaveBeenCalledTimes(3);
});
