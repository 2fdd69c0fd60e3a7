import { afterAll } from 'vitest';

const steps: (() => unknown)[] = [];

// Registered while the test file is being read: Vitest forgets an `afterAll` that a running test asks for.
afterAll(async () => {
  const failures: unknown[] = [];
  for (const step of steps.splice(0).reverse()) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'what was to be done afterwards failed');
});

/** Does this after the file's last test, the latest first; a test may ask for it as well. */
export function afterwards(step: () => unknown): void {
  steps.push(step);
}
