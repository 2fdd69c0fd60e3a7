import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, publish } from '../bench.ts';
import { email, startServer } from '../servers.ts';

const requests = 1000;

/** Redis commands of exactly so many requests to Latchkey; the process fails when there is one too many. */
export async function commands(bench: Bench): Promise<void> {
  const server = await startServer('latchkey', { node: bench.node.path, redisUrl: bench.redis.url });
  try {
    const cookie = await server.signIn();
    await untilQuiet(bench);
    const pages = [
      { name: 'signed-in page', path: '/', cookie, expect: email, allowed: 1 },
      { name: 'signed-out page', path: '/', cookie: '', expect: '<form', allowed: 0 },
      { name: 'static file', path: '/style.css', cookie, expect: '{', allowed: 0 },
      { name: 'health', path: '/livez', cookie, expect: 'ok', allowed: 0 },
    ];
    const rows: string[][] = [];
    for (const { name, path, allowed, ...page } of pages) {
      const before = await bench.redis.commands();
      await bench.loader.run({ ...page, url: server.url + path, connections: bench.connections, requests });
      const counted = (await bench.redis.commands()) - before;
      if (counted !== allowed * requests) process.exitCode = 1;
      rows.push([name, String(counted), String(allowed * requests)]);
    }
    publish(
      `commands-node${bench.node.major}.md`,
      [`# Redis commands of ${requests} requests`, { head: ['request', 'commands', 'to be'], rows }],
      { isSingleRun: true },
    );
  } finally {
    await server.stop();
  }
}

/** Waits for what a sign-in still writes after its response. */
async function untilQuiet({ redis }: Bench): Promise<void> {
  let before: number;
  do {
    before = await redis.commands();
    await sleep(200);
  } while ((await redis.commands()) !== before);
}
