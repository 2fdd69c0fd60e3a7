import { expect, test } from 'vitest';
import { type Closers, withCleanup } from '../../scripts/cleanup.ts';

test('everything is closed in reverse order, and the first error is reported', async () => {
  const closed: string[] = [];
  const closers: Closers = [() => closed.push('first')];
  const fail = (message: string) => async () => {
    closed.push(message);
    throw new Error(message);
  };
  const work = async () => {
    closers.push(fail('second fails'), fail('third fails'));
    return 'done';
  };
  await expect(withCleanup(closers, work)).rejects.toThrow('third fails');
  expect(closed).toEqual(['third fails', 'second fails', 'first']);

  await expect(withCleanup([fail('closing fails')], fail('work fails'))).rejects.toThrow('work fails');
  expect(closed.slice(3)).toEqual(['work fails', 'closing fails']);
  expect(await withCleanup([], async () => 'done')).toBe('done');
});
