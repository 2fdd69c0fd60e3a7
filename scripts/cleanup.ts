/** How to close what was opened, in the order of opening. */
export type Closers = (() => unknown)[];

/**
 * Does the work, then closes what it has opened, the latest first, even if the work or a closer fails.
 * @throws the first error, once everything has been closed
 */
export async function withCleanup<Result>(closers: Closers, work: () => Promise<Result>): Promise<Result> {
  const [outcome] = await Promise.allSettled([work()]);
  const errors = outcome.status === 'rejected' ? [outcome.reason] : [];
  for (const close of closers.toReversed()) {
    try {
      await close();
    } catch (error) {
      errors.push(error);
    }
  }
  if (outcome.status === 'rejected' || errors.length > 0) throw errors[0];
  return outcome.value;
}
