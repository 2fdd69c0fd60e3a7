import { expect, test, vi } from 'vitest';
import { rememberLists } from '../../src/features/performance/remember-lists.ts';
import type { ListEntry, SessionIndex } from '../../src/session/session-index.ts';

const session = { signedInAt: 1, lastSeenAt: 1, remember: false };

function remembering() {
  const readList = vi.fn((tag: string, reply: string): readonly ListEntry[] => [{ sessionId: tag + reply, session }]);
  const toListed = vi.fn(({ sessionId }: ListEntry) => ({
    ...{ handle: sessionId, device: 'Firefox', signedInAt: 1, lastSeenAt: 1 },
  }));
  const index: Pick<SessionIndex, 'readList' | 'toListed'> = { readList, toListed };
  rememberLists(index);
  return { readList, toListed, index };
}

test('a list is read once as long as the reply is the very same', () => {
  const { readList, index } = remembering();
  const first = index.readList('ann', 'reply');
  expect(first).toEqual([{ sessionId: 'annreply', session }]);
  expect(index.readList('ann', ['rep', 'ly'].join(''))).toBe(first);
  expect(readList).toHaveBeenCalledTimes(1);
  for (const [tag, reply] of [
    ['bob', 'reply'],
    ['ann', 'replies'],
    ['ann', ''],
    ['ann', 'reply'],
  ] as const) {
    expect(index.readList(tag, reply)).toEqual([{ sessionId: tag + reply, session }]);
  }
  expect(readList).toHaveBeenCalledTimes(5);
});

test('a very long list is read each time', () => {
  const { readList, index } = remembering();
  for (const reply of ['x'.repeat(8192), 'x'.repeat(8192)]) index.readList('ann', reply);
  expect(readList).toHaveBeenCalledTimes(1);
  for (const reply of ['x'.repeat(8193), 'x'.repeat(8193)]) index.readList('ann', reply);
  expect(readList).toHaveBeenCalledTimes(3);
});

test('what is shown of a session is made once for each reply, and nobody can change it for others', () => {
  const { toListed, index } = remembering();
  const show = (reply: string) => index.readList('ann', reply).map(index.toListed);
  const [[first], [second]] = [show('reply'), show('reply')];
  expect(second).toBe(first);
  expect(toListed).toHaveBeenCalledTimes(1);
  expect(() => Object.assign(first ?? {}, { device: 'changed' })).toThrow(TypeError);
  show('another reply');
  expect(toListed).toHaveBeenCalledTimes(2);
});

test('the latest twenty lists are remembered, and up to twenty before them', () => {
  const { readList, index } = remembering();
  for (let count = 1; count <= 41; count += 1) index.readList(`person-${count}`, 'reply');
  readList.mockClear();
  for (const count of [41, 40, 22, 21]) index.readList(`person-${count}`, 'reply');
  expect(readList).not.toHaveBeenCalled();
  index.readList('person-20', 'reply');
  expect(readList).toHaveBeenCalledTimes(1);
});
