import { expect, test } from 'vitest';
import { measured, rowsBelow } from '../support/documents.ts';

test('what it costs is documented as it was measured, and within what was promised', () => {
  const rows = rowsBelow('docs/live-tabs.md', 'with 10,000 browsers on one process | measured');
  expect(rows.length).toBeGreaterThan(4);
  for (const [name = '', ...cells] of rows) expect(measured('live-tabs', name).map(([cell]) => cell)).toEqual(cells);
  const figure = (name: string) => Number.parseFloat(measured('live-tabs', name)[0]?.[0] ?? '');
  expect(figure('memory for all tabs, 30 s later, MB')).toBeLessThanOrEqual(150);
  expect(figure('Redis commands in 30 s because of the tabs')).toBe(0);
});
