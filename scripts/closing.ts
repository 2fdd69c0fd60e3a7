/** How to close what was opened, in the order of opening. */
export type Closers = (() => unknown)[];

/**
 * Works, and closes in reverse order what that has opened, even if the work or another closer fails.
 * @throws the first error, once everything has been closed
 */
export async function closingAfter<Result>(closers: Closers, work: () => Promise<Result>): Promise<Result> {
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
