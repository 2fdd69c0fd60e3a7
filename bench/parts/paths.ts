import type { Bench } from '../bench.ts';
import { comparePaths, forEachConcurrently, type Path } from '../paths.ts';
import { email, startServer } from '../servers.ts';

const manySessions = 50;
const signInsPerRound = 1000;

/** What `/admin` and a sign-in in trust mode cost, in signed-in pages. */
export async function paths(bench: Bench): Promise<void> {
  const server = await startServer('latchkey', { node: bench.node.path, redisUrl: bench.redis.url });
  const [one, many] = ['one@example.com', 'many@example.com'];
  try {
    const cookies = { page: await server.signIn(), one: await server.signIn(one), many: await server.signIn(many) };
    for (let count = 1; count < manySessions; count += 1) await server.signIn(many);
    const visits = (path: string, cookie: string, expect: string) => async () => {
      const { connections, seconds } = bench;
      return (await bench.loader.run({ url: server.url + path, cookie, expect, connections, seconds })).requests;
    };
    const others: Path[] = [
      { name: '/admin, one session', run: visits('/admin', cookies.one, one), atMost: 1.1 },
      { name: `/admin, ${manySessions} sessions`, run: visits('/admin', cookies.many, many), atMost: 1.6 },
      { name: 'sign-in, trusted', run: () => forEachConcurrently(newAddresses(signInsPerRound), bench, server.signIn) },
    ];
    await comparePaths(bench, {
      server,
      page: { name: 'signed-in page', run: visits('/', cookies.page, email) },
      others,
      file: `paths-node${bench.node.major}.md`,
      title: 'Other paths, in signed-in pages,',
      notes: `${bench.connections} connections.`,
    });
  } finally {
    await server.stop();
  }
}

let visitors = 0;

function newAddresses(count: number): string[] {
  return Array.from({ length: count }, () => `visitor-${visitors++}@example.com`);
}
