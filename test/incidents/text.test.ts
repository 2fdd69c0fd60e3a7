import { expect, test } from 'vitest';
import { tableText } from '../../src/features/incidents/text.ts';

test('a table may have any number of rows, and its columns are as wide as the widest cell', () => {
  const rows = Array.from({ length: 200_000 }, (_, position) => [String(position), 'end']);
  const lines = tableText([['A', 'B'], ...rows]).split('\n');
  expect(lines).toHaveLength(200_002);
  expect([lines[0], lines[1], lines[200_000]]).toEqual(['A       B', '0       end', '199999  end']);
});
