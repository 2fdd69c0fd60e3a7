const steps: (() => unknown)[] = [];

/** Does this after the file's last test, the latest first; a test may ask for it as well. */
export function afterwards(step: () => unknown): void {
  steps.push(step);
}

/** Does what is to be done after a test file. */
export async function runSteps(): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps.splice(0).reverse()) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'cleaning up after the tests failed');
}
