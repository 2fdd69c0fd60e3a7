import { type Bench, publish } from '../bench.ts';
import { email, startServer } from '../servers.ts';

const steps = 10;

/** The heap of Latchkey after a full collection, at several points of many requests. */
export async function heap(bench: Bench, requests: number): Promise<void> {
  const server = await startServer('latchkey', {
    node: bench.node.path,
    redisUrl: bench.redis.url,
    nodeFlags: ['--expose-gc'],
  });
  try {
    const cookie = await server.signIn();
    const load = { url: server.url, cookie, expect: email, connections: bench.connections };
    const rows: string[][] = [];
    for (let step = 0; step <= steps; step += 1) {
      if (step > 0) await bench.loader.run({ ...load, requests: requests / steps });
      const megabytes = (await server.heapUsed()) / 1e6;
      rows.push([((step * requests) / steps).toLocaleString('en'), megabytes.toFixed(2)]);
    }
    publish(
      `heap-node${bench.node.major}.md`,
      [`# Heap of the process, Node ${bench.node.version}`, { head: ['requests', 'heap used, MB'], rows }],
      { isSingleRun: true },
    );
  } finally {
    await server.stop();
  }
}
