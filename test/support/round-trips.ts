import { redisCalls } from '../../src/diagnostics.ts';

type Waits = { commands: number; roundTrips: number };

/**
 * How many commands this work waits for, and how often: those that are under way together share a round trip. What no
 * visitor waits for is left out. The app must run in this process.
 */
export async function waitsFor(work: () => Promise<unknown>): Promise<Waits> {
  const startedAt = new WeakMap<object, number>();
  const calls: { startedAt: number; endedAt: number }[] = [];
  const begin = (call: unknown) => void startedAt.set(call as object, performance.now());
  const end = (call: unknown) => {
    const endedAt = performance.now();
    calls.push({ startedAt: startedAt.get(call as object) ?? endedAt, endedAt });
  };
  redisCalls.start.subscribe(begin);
  redisCalls.asyncEnd.subscribe(end);
  await work().finally(() => {
    redisCalls.start.unsubscribe(begin);
    redisCalls.asyncEnd.unsubscribe(end);
  });
  let roundTrips = 0;
  let answeredAt = Number.NEGATIVE_INFINITY;
  // They arrive in the order of their ends.
  for (const call of calls) {
    if (call.startedAt < answeredAt) continue;
    roundTrips += 1;
    answeredAt = call.endedAt;
  }
  return { commands: calls.length, roundTrips };
}
