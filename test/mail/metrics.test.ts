import { expect, test } from 'vitest';
import { figures } from '../../src/diagnostics.ts';
import { publishZeros } from '../../src/features/mail/figures.ts';
import { rowsBelow } from '../support/documents.ts';

test('docs/metrics.md lists the series of mail, and recommends alerts only on them', () => {
  const published = new Set<string>();
  figures.subscribe(({ name }) => published.add(name));
  publishZeros(['code']);
  const namesBelow = (heading: string) => rowsBelow('docs/metrics.md', heading).map(([series = '']) => series);
  const ofMail = (names: string[]) => names.filter((name) => name.startsWith('latchkey_mail'));
  expect(ofMail(namesBelow('series | labels | meaning')).sort()).toEqual([...published].sort());
  const alerts = ofMail(namesBelow('series | when'));
  expect(alerts.length).toBeGreaterThan(2);
  expect(alerts.filter((name) => !published.has(name))).toEqual([]);
});
