import { redisCalls } from '../../src/diagnostics.ts';

type Waits = { commands: number; roundTrips: number };

/**
 * How many commands this work waits for, and how often: those that are under way together share a round trip. What no
 * visitor waits for is left out. The app must run in this process.
 */
export async function waitsFor(work: () => Promise<unknown>): Promise<Waits> {
  const calls: { startedAt: number; endedAt: number }[] = [];
  const unsubscribe = redisCalls.subscribe(({ startedAt, seconds }) => {
    calls.push({ startedAt, endedAt: startedAt + seconds * 1000 });
  });
  await work().finally(unsubscribe);
  let roundTrips = 0;
  let answeredAt = Number.NEGATIVE_INFINITY;
  // They arrive in the order of their ends.
  for (const { startedAt, endedAt } of calls) {
    if (startedAt < answeredAt) continue;
    roundTrips += 1;
    answeredAt = endedAt;
  }
  return { commands: calls.length, roundTrips };
}
