import { type Bench, publish } from '../bench.ts';
import { startServer } from '../servers.ts';

const atOnce = 20;
const goal = 1.4;

/** Bytes of Redis for each signed-in session, each of another address, index included. */
export async function memory(bench: Bench, sessions: number): Promise<void> {
  const latchkey = await bytesPerSession('latchkey', sessions, bench);
  const textbook = await bytesPerSession('textbook', sessions, bench);
  const rows = [
    ['latchkey, with the index', latchkey.toFixed(0), (latchkey / textbook).toFixed(2), `at most ${goal.toFixed(2)}`],
    ['textbook, no index', textbook.toFixed(0), '1.00', ''],
  ];
  publish(
    'memory.md',
    [
      `# Memory of Redis ${bench.redis.version}`,
      `${sessions.toLocaleString('en')} sessions of as many addresses, made by signing in.`,
      { head: ['server', 'bytes per session', 'ratio', 'goal'], rows },
    ],
    { isSingleRun: true },
  );
}

async function bytesPerSession(name: 'latchkey' | 'textbook', sessions: number, bench: Bench): Promise<number> {
  const { redis } = bench;
  const server = await startServer(name, { node: bench.node.path, redisUrl: redis.url });
  try {
    await redis.client.flushAll();
    const before = await redis.usedMemory();
    let next = 0;
    async function signInSome(): Promise<void> {
      while (next < sessions) {
        next += 1;
        await server.signIn(`visitor-${String(next).padStart(7, '0')}@example.com`);
      }
    }
    await Promise.all(Array.from({ length: atOnce }, signInSome));
    return ((await redis.usedMemory()) - before) / sessions;
  } finally {
    await server.stop();
    await redis.client.flushAll();
  }
}
