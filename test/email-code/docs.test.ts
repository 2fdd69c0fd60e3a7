import { expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { triesPerCode } from '../../src/features/email-code/challenges.ts';
import { codeDigits } from '../../src/features/email-code/code.ts';
import { rateLimits } from '../../src/features/email-code/rate-limits.ts';
import { measured, read, rowsBelow } from '../support/documents.ts';

type Limit = { points: number; seconds: number };

const page = read('docs/email-code.md').replace(/[\s*]+/g, ' ');
const words = ({ points, seconds }: Limit) =>
  `${points} in ${seconds === 600 ? '10 minutes' : seconds === 3600 ? 'an hour' : 'a day'}`;

test('the rate limits are documented as they are (ASVS 6.1.1)', () => {
  const limits: Record<keyof typeof rateLimits, readonly Limit[] | Limit> = rateLimits;
  const documented = rowsBelow('docs/email-code.md', 'what is counted | limit').map(([, limit]) => limit);
  expect(documented).toEqual([
    ...Object.values(limits).map((limit) => [limit].flat().map(words).join(', ')),
    'MAILS_PER_HOUR',
  ]);
});

test('the chance of guessing a code at one address is one in 2.5 million per day', () => {
  const { points: guesses, seconds } = rateLimits.guessesPerAddress;
  expect([guesses, seconds, (10 ** codeDigits / guesses).toLocaleString('en')]).toEqual([40, 86_400, '2,500,000']);
  expect(page).toContain(`${guesses} guesses a day in 100 million`);
  expect(page).toContain('one in 2.5 million per day');
});

test('the chance of a crowd over all addresses follows from MAILS_PER_HOUR', () => {
  const guesses = readConfig({ NODE_ENV: 'test' }).emailCode.mailsPerHour * 24 * triesPerCode;
  expect(page).toContain(`by default to ${guesses.toLocaleString('en')} a day`);
  expect(page).toContain(`about ${((guesses / 10 ** codeDigits) * 100).toFixed(2)} % per day`);
});

test('to use up the mails of an hour takes at least five clients, by default', () => {
  const [{ points, seconds }] = rateLimits.asksPerClient;
  // The windows of an hour, and one that began before.
  const asksPerClient = points * (3600 / seconds + 1);
  const clients = Math.ceil(readConfig({ NODE_ENV: 'test' }).emailCode.mailsPerHour / asksPerClient);
  expect(page).toContain(`by default takes requests from at least ${clients} clients`);
});

test('what becomes of codes under load is stated as it was measured: none is lost, known browsers wait under 2 s', () => {
  const rows = rowsBelow('docs/mail.md', 'load | promised | sent | doubled | lost | slowest | known browser');
  expect(rows.length).toBeGreaterThanOrEqual(13);
  for (const [load = '', ...figures] of rows) expect([load, figures]).toEqual([load, measured('mail', load)[0]]);
  expect(rows.filter(([, , , , lost]) => lost !== '0')).toEqual([]);
  expect(rows.filter((row) => Number(row[6] ?? 0) >= 2)).toEqual([]);
});
