import { expect, test } from 'vitest';
import { publishZeros } from '../../src/features/mail/figures.ts';
import { figures } from '../../src/shared/figures.ts';
import { rowsBelow } from '../support/documents.ts';

test('docs/metrics.md lists the series of mail', () => {
  const published = new Set<string>();
  figures.subscribe(({ name }) => published.add(name));
  publishZeros(['code']);
  const namesBelow = (heading: string) => rowsBelow('docs/metrics.md', heading).map(([series = '']) => series);
  const ofMail = (names: string[]) => names.filter((name) => name.startsWith('latchkey_mail'));
  expect(ofMail(namesBelow('series | labels | meaning')).sort()).toEqual([...published].sort());
});
