import { test } from 'vitest';

// Vitest needs a test to begin with. The runner goes on from there.
test('begins', () => {});
