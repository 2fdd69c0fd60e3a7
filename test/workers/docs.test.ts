import { expect, test } from 'vitest';
import { measured, read } from '../support/documents.ts';

test('what a second worker adds is documented as it was measured', () => {
  const [[ratio = ''] = []] = measured('workers', 'throughput of two cores, times that of one');
  expect(read('docs/workers.md')).toContain(`two workers serve ${ratio} times as many`);
});
