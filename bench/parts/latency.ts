import { type Bench, publish, samples } from '../bench.ts';
import { startDelay } from '../delay.ts';
import { pingMilliseconds } from '../redis.ts';
import { email, type RunningServer, startServer } from '../servers.ts';

const delayMs = 1;

/** How much later a signed-in page is complete when Redis is 1 ms away, one request at a time. */
export async function latency(bench: Bench): Promise<void> {
  const delay = await startDelay(bench.redis.port, delayMs);
  const redisUrl = `redis://127.0.0.1:${delay.port}`;
  const servers: RunningServer[] = [];
  const milliseconds = new Map<string, number[]>();
  try {
    for (const name of ['no session', 'latchkey', 'textbook'] as const) {
      servers.push(await startServer(name, { node: bench.node.path, redisUrl }));
    }
    const cookies = await Promise.all(servers.map((server) => server.signIn()));
    for (let round = -1; round < bench.rounds; round += 1) {
      for (const [position, { name, url }] of servers.entries()) {
        const cookie = cookies[position] ?? '';
        const load = await bench.loader.run({ url, cookie, expect: email, connections: 1, seconds: bench.seconds });
        if (round >= 0) milliseconds.set(name, [...(milliseconds.get(name) ?? []), load.p50]);
      }
    }
    const roundTrip = await pingMilliseconds(redisUrl);
    const base = milliseconds.get('no session') ?? [];
    const rows = [...milliseconds].map(([name, values]) => {
      const later = values.map((value, round) => value - (base[round] ?? Number.NaN));
      return [name, samples(values), samples(later), samples(later.map((value) => value / roundTrip))];
    });
    publish(`latency-node${bench.node.major}.md`, [
      `# A signed-in page with Redis ${delayMs} ms away, on Node ${bench.node.version}`,
      `Medians of ${bench.rounds} rounds (least–most). A round trip to Redis took ${roundTrip.toFixed(2)} ms (median of pings).`,
      { head: ['server', 'p50 ms', 'ms over no session', 'round trips'], rows },
    ]);
  } finally {
    for (const server of servers) await server.stop();
    await delay.close();
  }
}
