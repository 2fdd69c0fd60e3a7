import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { boundCookieSeconds } from '../../src/features/bound-sessions/bound-cookie.ts';
import { challengeSeconds, usedSeconds } from '../../src/features/bound-sessions/challenges.ts';
import { graceSeconds, waitSeconds } from '../../src/features/bound-sessions/guard.ts';
import {
  provedSeconds,
  skippedPatienceMs,
  triesSeconds,
  usualPatienceMs,
} from '../../src/features/bound-sessions/tries.ts';
import { pathOf, read, rowsBelow } from '../support/documents.ts';

const document = 'docs/bound-sessions.md';
const page = read(document).replace(/\s+/g, ' ');
const folder = 'test/bound-sessions';
const tests = readdirSync(pathOf(folder))
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => read(`${folder}/${name}`))
  .join('\n');

test.each([
  ...rowsBelow(document, 'theft | what happens | test'),
  ...rowsBelow(document, 'accident | what happens | test'),
])('"%s" has a test', (_what, _happens, name) => {
  expect(tests).toMatch(new RegExp(`\\b(test|test\\.each.*)\\(\\s*['"]${name?.replace(/[.?()]/g, '\\$&')}['"]`));
});

test('the times are documented as they are', () => {
  const minutes = boundCookieSeconds / 60;
  expect(page).toContain(`opens the session for ${minutes} minutes at most`);
  expect(page).toContain(`The bound cookie is good for ${minutes} minutes`);
  expect(page).toContain(`once, and for ${challengeSeconds / 60} minutes`);
  expect(page).toContain(`In the first ${graceSeconds} seconds after a sign-in`);
  expect(page).toContain(`comes back by itself after ${waitSeconds[0]} seconds, then less and less often`);
  const waited = waitSeconds.reduce((sum, seconds) => sum + seconds, 0);
  // Chromium signs again after nine minutes.
  expect([waited >= 540, Math.floor(waited / 60)]).toEqual([true, 9]);
  expect(page).toContain('after nine minutes, the login form');
  expect(page).toContain(`for ${skippedPatienceMs / 60_000} minutes`);
  expect(page).toContain(`within ${usualPatienceMs / 1000} seconds`);
});

test('the lives of the keys are documented as they are', () => {
  expect(triesSeconds).toBe(86_400);
  const [, ...rows] = rowsBelow(document, 'key | what it holds | lives');
  expect(rows.map(([key, , lives]) => [key, lives])).toEqual([
    ['b:{TAG}used:…', `${usedSeconds / 60} minutes`],
    ['b:{TAG}tries:…', 'a day'],
    ['b:{TAG}proved:…', `${provedSeconds / 60} minutes`],
    ['b:{TAG}doubt:…', 'a day, or until the key is proved'],
  ]);
});
