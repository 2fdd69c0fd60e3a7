import { afterAll } from 'vitest';

const steps: (() => unknown)[] = [];

// Registered while the test file is being read: Vitest forgets an `afterAll` that a running test asks for.
afterAll(async () => {
  for (const step of steps.splice(0).reverse()) await step();
});

/** Does this after the file's last test, the latest first; a test may ask for it as well. */
export function afterwards(step: () => unknown): void {
  steps.push(step);
}
