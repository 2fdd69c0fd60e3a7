import { expect, test } from 'vitest';
import { measure } from '../../src/features/metrics/metrics.ts';
import { rowsBelow } from '../support/documents.ts';

test('docs/metrics.md names only series that there are', () => {
  const names = rowsBelow('docs/metrics.md', 'series | when').map(([series = '']) =>
    series.replace(/\{.*|_count.*/, ''),
  );
  const registry = measure();
  expect(names.length).toBeGreaterThan(3);
  expect(names.filter((name) => !registry.getSingleMetric(name))).toEqual([]);
});
