import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { publishZeros } from '../../src/features/mail/figures.ts';
import { figures } from '../../src/shared/figures.ts';
import { pathOf, read, rowsBelow, sectionOf } from '../support/documents.ts';

test('docs/metrics.md lists the series of mail', () => {
  const published = new Set<string>();
  figures.subscribe(({ name }) => published.add(name));
  publishZeros(['code']);
  const namesBelow = (heading: string) => rowsBelow('docs/metrics.md', heading).map(([series = '']) => series);
  const ofMail = (names: string[]) => names.filter((name) => name.startsWith('latchkey_mail'));
  expect(ofMail(namesBelow('series | labels | meaning')).sort()).toEqual([...published].sort());
});

test('docs/metrics.md says what every kind of mail is about', () => {
  const sources = readdirSync(pathOf('src/features'), { recursive: true, encoding: 'utf8' });
  const code = sources.filter((name) => name.endsWith('.ts')).map((name) => read(`src/features/${name}`));
  const kinds = [...code.join('\n').matchAll(/\boutbox\.register(?:<\w+>)?\('(\w+)'/g)].map(([, kind]) => kind);
  const said = [...sectionOf('docs/metrics.md', 'Series').matchAll(/`(\w+)`: /g)].map(([, kind]) => kind);
  expect(said.sort()).toEqual([...kinds, 'unknown'].sort());
});
