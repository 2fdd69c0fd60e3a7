import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { possibleOutcomes } from '../../src/shared/sign-in-outcomes.ts';
import { startApp } from '../support/app.ts';
import { pathOf, read } from '../support/documents.ts';

/** The outcomes that the code spells out, wherever a sign-in is decided. */
function outcomesInCode(): string[] {
  const files = readdirSync(pathOf('src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const code = files.map((name) => read(`src/${name}`)).join('\n');
  const refusals = code.match(/auditRefused\((?!log: )[^;]*;/g) ?? [];
  const reasons = code.match(/\breason: '[^']+'/g) ?? [];
  return [...refusals, ...reasons].flatMap((text) => text.match(/'[^']+'/g) ?? []).map((text) => text.slice(1, -1));
}

test('every outcome of a sign-in is announced before the first one happens', async () => {
  const announced = new Set<string>();
  const stop = possibleOutcomes.subscribe((outcome) => void announced.add(outcome));
  await startApp({ env: { SIGN_IN: 'trust', METRICS_PORT: '0' } });
  // feature: email-code
  await startApp({ env: { SIGN_IN: 'code', SMTP_URL: 'smtp://127.0.0.1:1' } });
  // end: email-code
  stop();
  const inCode = outcomesInCode();
  expect(announced).toContain('signed in');
  expect(inCode).toContain('not in ALLOWED_EMAILS');
  expect(inCode.length).toBeGreaterThan(3); // feature: email-code
  expect(inCode.filter((outcome) => !announced.has(outcome))).toEqual([]);
});
