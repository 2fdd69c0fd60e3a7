import { expect, vi } from 'vitest';
import { type RunningServer, startServer } from '../support/process.ts';
import { Visitor } from '../support/visitor.ts';

const warmUpVisitors = 300;
const expectedAlarms = new Set([
  'SIGN_IN=trust: anyone can sign in with any address',
  'Redis lost',
  "Redis can't be reached again", // feature: failover
  'Redis fails requests',
  'Redis failed a request',
]);

/** An app as an operator runs it, in a process of its own, and warm. */
export async function startWarmApp(redisUrl: string, env: Record<string, string>): Promise<RunningServer> {
  const server = await startServer({
    env: {
      ...env,
      NODE_ENV: 'production',
      BASE_URL: 'http://localhost:3000',
      SESSION_SECRET: 'a secret of the operator of 32 characters and more',
      REDIS_URL: redisUrl,
      NODE_OPTIONS: `--import=${new URL('heap-probe.mjs', import.meta.url).href}`,
    },
  });
  for (let count = 0; count < warmUpVisitors; count += 1) {
    const visitor = new Visitor(server.url());
    await visitor.signIn(`warm-up-${count}@example.com`);
    await visitor.get('/admin');
    await visitor.post('/logout');
  }
  return server;
}

/** Bytes that are left after a full garbage collection. */
export async function heapOf(server: RunningServer): Promise<number> {
  const known = server.logged('heap').length;
  process.kill(server.pid, 'SIGUSR2');
  return vi.waitFor(
    () => {
      const line = server.logged('heap')[known];
      if (!line) throw new Error('the heap is still being measured');
      return Number(line.bytes);
    },
    { timeout: 5000, interval: 100 },
  );
}

/** Rejects with the app's own words when it ends by itself, as after an unhandled rejection. */
export async function unexpectedEnd(server: RunningServer): Promise<never> {
  const { code } = await server.ended;
  throw new Error(`an app ended with code ${code}, and has printed:\n${server.printed().slice(-3000)}`);
}

/** Ends an app that has logged nothing but that Redis was away, and came back each time. */
export async function endInOrder(server: RunningServer): Promise<void> {
  process.kill(server.pid, 'SIGTERM');
  expect.soft(await server.ended).toEqual({ code: 0, signal: null });
  const alarms = server.logged().filter(({ level, msg }) => Number(level) >= 40 && !expectedAlarms.has(String(msg)));
  expect.soft(alarms).toEqual([]);
  expect.soft(server.logged('Redis back')).toHaveLength(server.logged('Redis lost').length);
}
