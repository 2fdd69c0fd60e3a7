import { expect, test } from 'vitest';
import { maxPasskeys, undoSeconds } from '../../src/features/passkeys/accounts.ts';
import { challengeSeconds } from '../../src/features/passkeys/challenges.ts';
import { passkeyLimits } from '../../src/features/passkeys/limits.ts';
import { removeLinkSeconds } from '../../src/features/passkeys/undo-links.ts';
import { measured, read, rowsBelow } from '../support/documents.ts';

type Limit = { points: number; seconds: number };

const page = read('docs/passkeys.md').replace(/\s+/g, ' ');
const words = ({ points, seconds }: Limit) => `${points} in ${seconds === 600 ? '10 minutes' : 'a day'}`;

test('the limits are documented as they are (ASVS 6.1.1)', () => {
  const limits: readonly (readonly Limit[])[] = Object.values(passkeyLimits);
  const documented = rowsBelow('docs/passkeys.md', 'what is counted | limit').map(([, limit]) => limit);
  expect(documented).toEqual(limits.map((limit) => limit.map(words).join(', ')));
  expect(page).toContain(`at most ${maxPasskeys}.`);
});

test('what it costs is documented as it was measured', () => {
  const rows = rowsBelow('docs/passkeys.md', 'from an open login page to /admin | keys and clicks | waiting');
  expect(rows).toHaveLength(2);
  for (const [way = '', , waiting] of rows) {
    expect(waiting).toMatch(new RegExp(`^${measured('passkeys', way)[0]?.[1]} s(,|$)`));
  }
  const [without, with_] = ['without', 'with'].map((how) =>
    Number(measured('passkeys', `login page ${how} passkeys`)[0]?.[0]),
  );
  expect(page).toContain(`grows by ${Number(with_) - Number(without)} bytes, from ${without} to ${with_},`);
});

test('what the login page loads is documented', () => {
  const kB = (Buffer.byteLength(read('public/passkeys/passkeys.js')) / 1000).toFixed(1);
  expect(page).toContain(`loads one script of ${kB} kB`);
});

test('the times are documented as they are', () => {
  expect([challengeSeconds, undoSeconds / 86_400, removeLinkSeconds / 86_400]).toEqual([300, 7, 30]);
  expect(page).toContain('at most five minutes ago');
  expect(page).toContain('The link of a removal works for a week; that of an addition for 30 days');
});
