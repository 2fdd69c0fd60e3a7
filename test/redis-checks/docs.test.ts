import { expect, test } from 'vitest';
import { redisPermissions } from '../../src/config.ts';
import { rowsBelow } from '../support/documents.ts';

test('every kind of key is documented, and no other', () => {
  const documented = rowsBelow('docs/architecture.md', 'key | what it holds').flatMap(([names = '']) =>
    names.split(', '),
  );
  // `ready` is never stored: readiness only asks whether Redis takes a write.
  const declared = redisPermissions.single.flatMap(({ keys }) => keys).filter((key) => key !== 'ready');
  const isMeant = (name: string, key: string) =>
    name.endsWith('…') ? key.startsWith(name.slice(0, -1)) : key === name;
  expect(declared.filter((key) => !documented.some((name) => isMeant(name, key)))).toEqual([]);
  expect(documented.filter((name) => !declared.some((key) => isMeant(name, key)))).toEqual([]);
});
