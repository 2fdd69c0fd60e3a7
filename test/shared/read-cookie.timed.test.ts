import type { Request } from 'express';
import { expect, test } from 'vitest';
import { readCookie } from '../../src/shared/read-cookie.ts';

/** The least time of several, which other processes disturb least. */
function leastMsFor(header: string): number {
  const req = { headers: { cookie: header } } as Request;
  const times = Array.from({ length: 20 }, () => {
    const startedAt = performance.now();
    readCookie(req, 'login');
    return performance.now() - startedAt;
  });
  return Math.min(...times);
}

test.each([
  ['spaces in a value', (length: number) => `login=a${' '.repeat(length)}b`],
  ['spaces and no value', (length: number) => ' '.repeat(length)],
  ['semicolons and spaces', (length: number) => '; '.repeat(length / 2)],
  ['quotes', (length: number) => `login=${'"'.repeat(length)}b`],
])('a header of 16,000 %s takes no more than in proportion to its length', (_what, write) => {
  // Ten times as long; a search from each character anew would take a hundred times as long.
  expect(leastMsFor(write(16_000))).toBeLessThan(30 * leastMsFor(write(1600)) + 0.5);
});
