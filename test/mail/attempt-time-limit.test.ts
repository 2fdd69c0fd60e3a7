import { afterEach, describe, expect, test, vi } from 'vitest';
import { AttemptTimeLimit } from '../../src/features/mail/attempt-time-limit.ts';
import type { Lane } from '../../src/features/mail/queue.ts';

const nobody = { high: false, normal: false };
const highOnly = { high: true, normal: false };
const normalOnly = { high: false, normal: true };
afterEach(() => {
  vi.useRealTimers();
});

const never = Number.POSITIVE_INFINITY;

describe('an attempt to deliver', () => {
  test.each<[Lane, Record<'nobody' | 'high' | 'normal', number>]>([
    ['high', { nobody: never, high: 400, normal: never }],
    ['normal', { nobody: never, high: 400, normal: 400 }],
    ['slow', { nobody: never, high: 400, normal: 400 }],
    ['withheld', { nobody: never, high: never, normal: never }],
  ])('of the lane %s may take 1 s while mail of its own or a higher lane waits', (lane, expected) => {
    const limit = new AttemptTimeLimit();
    const remaining = (isWaiting: typeof nobody) => limit.remainingMs('a', lane, isWaiting, 600);
    expect({ nobody: remaining(nobody), high: remaining(highOnly), normal: remaining(normalOnly) }).toEqual(expected);
  });

  test('may take three times as long as the fastest of the last twenty that were accepted', () => {
    const limit = new AttemptTimeLimit();
    const total = () => limit.remainingMs('a', 'normal', normalOnly, 0);
    limit.noteAccepted(200);
    expect(total()).toBe(1000);
    for (let count = 1; count <= 19; count += 1) limit.noteAccepted(5000);
    expect(total()).toBe(1000);
    limit.noteAccepted(2000);
    expect(total()).toBe(6000);
  });

  test('has no limit if ten in a row were slow and none was accepted for a minute', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const limit = new AttemptTimeLimit();
    const remaining = (id: string, isWaiting: typeof nobody, lane: Lane = 'normal') =>
      limit.remainingMs(id, lane, isWaiting, 2000);
    for (let count = 1; count <= 10; count += 1) {
      expect(remaining('a', normalOnly)).toBe(-1000);
      limit.noteSlow();
    }
    expect([remaining('b', highOnly), remaining('b', normalOnly)]).toEqual([-1000, never]);
    expect([remaining('b', highOnly), remaining('c', normalOnly)]).toEqual([-1000, -1000]);
    limit.noteEnded('b');
    expect(remaining('c', normalOnly)).toBe(-1000);
    for (let count = 1; count <= 10; count += 1) limit.noteSlow();
    expect(remaining('c', normalOnly)).toBe(-1000);
    vi.advanceTimersByTime(60_001);
    expect(remaining('d', highOnly, 'high')).toBe(never);
    limit.noteEnded('d');
    for (let count = 1; count <= 10; count += 1) limit.noteSlow();
    limit.noteAccepted(100);
    for (let count = 1; count <= 10; count += 1) limit.noteSlow();
    vi.advanceTimersByTime(60_000);
    expect(remaining('e', normalOnly)).toBe(-1000);
    vi.advanceTimersByTime(1);
    expect(remaining('e', normalOnly)).toBe(never);
  });
});
