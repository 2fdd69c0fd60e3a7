import { basename, dirname } from 'node:path';
import { type Bench, save } from '../bench.ts';
import { email, startServer } from '../servers.ts';

const most = 40;

type Frame = { functionName: string; url: string; lineNumber: number };
type Profile = {
  nodes: { id: number; callFrame: Frame }[];
  samples: number[];
  timeDeltas: number[];
};

/** Where the time of a signed-in page goes: a `.cpuprofile`, and the functions by their own time. */
export async function profile(bench: Bench): Promise<void> {
  const server = await startServer('latchkey', { node: bench.node.path, redisUrl: bench.redis.url });
  try {
    const { connections, seconds } = bench;
    const load = { url: server.url, cookie: await server.signIn(), expect: email, connections, seconds };
    await bench.loader.run(load);
    await server.startProfile();
    const { requests } = await bench.loader.run(load);
    const recorded = (await server.stopProfile()) as Profile;
    save(`node${bench.node.major}.cpuprofile`, JSON.stringify(recorded));
    for (const { name, microseconds } of selfTimes(recorded).slice(0, most)) {
      console.log(`${(microseconds / requests).toFixed(2).padStart(8)} µs  ${name}`);
    }
  } finally {
    await server.stop();
  }
}

function selfTimes({ nodes, samples, timeDeltas }: Profile): { name: string; microseconds: number }[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const times = new Map<string, number>();
  for (const [position, id] of samples.entries()) {
    const name = names.get(id) ?? '';
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[position] ?? 0));
  }
  return [...times]
    .map(([name, microseconds]) => ({ name, microseconds }))
    .sort((a, b) => b.microseconds - a.microseconds);
}

function nameOf({ functionName, url, lineNumber }: Frame): string {
  const folder = basename(dirname(url));
  return `${functionName || '(anonymous)'}  ${url && `${folder}/${basename(url)}:${lineNumber + 1}`}`;
}
