import { expect, test } from 'vitest';
import { measure } from '../../src/features/metrics/metrics.ts';
import { rowsBelow } from '../support/documents.ts';

test('docs/metrics.md recommends alerts only on series that exist', () => {
  const names = rowsBelow('docs/metrics.md', 'series | when')
    .map(([series = '']) => series.replace(/\{.*|_count.*/, ''))
    // Those of mail are published once it starts; a test of its own compares them.
    .filter((name) => !name.startsWith('latchkey_mail'));
  const registry = measure();
  expect(names.length).toBeGreaterThan(3);
  expect(names.filter((name) => !registry.getSingleMetric(name))).toEqual([]);
});
