import { expect, test, vi } from 'vitest';
import { tuneHeaders } from '../../src/features/performance/constant-headers.ts';
import { securityHeaders } from '../../src/middleware/security-headers.ts';
import { type HeaderSetter, headerValues } from '../../src/shared/header-values.ts';

test('headers that are always the same are asked for once, and set on every response', () => {
  const original = vi.fn<HeaderSetter>(securityHeaders({ https: true }));
  const tuned = tuneHeaders(original);
  for (let count = 0; count < 3; count += 1)
    expect(headerValues(tuned)).toEqual(headerValues(securityHeaders({ https: true })));
  expect(original).toHaveBeenCalledTimes(1);
});
