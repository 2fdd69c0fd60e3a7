// npm run bench -- [--part NAME]... [--node 20,22,24] [--rounds 5] [--seconds 3] ...; see `usage`.
import { parseArgs } from 'node:util';
import { findNode } from '../scripts/nodes.ts';
import type { Bench } from './bench.ts';
import { startLoader } from './load.ts';
import { commands } from './parts/commands.ts';
import { growth } from './parts/growth.ts';
import { heap } from './parts/heap.ts';
import { latency } from './parts/latency.ts';
import { memory } from './parts/memory.ts';
import { paths } from './parts/paths.ts';
import { profile } from './parts/profile.ts';
import { throughput } from './parts/throughput.ts';
import { startBenchRedis } from './redis.ts';

const usage = `npm run bench -- [options]
  --part NAME      throughput, commands, paths, latency, memory, growth, heap, profile, or all; may be repeated
                   (default: throughput and commands)
  --node LIST      Node versions or paths, such as 20,22,24 (default: the one that runs this)
  --rounds N       rounds over all servers (5)         --seconds N      of each server in a round (3)
  --connections N  of the load (10)                    --requests N     of the heap's part (500000)
  --sessions N     of the memory's part (100000)       --others N       at most, of the growth's part (1000000)`;

const { values } = parseArgs({
  options: {
    part: { type: 'string', multiple: true, default: ['throughput', 'commands'] },
    node: { type: 'string', default: String(process.versions.node.split('.')[0]) },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '10' },
    requests: { type: 'string', default: '500000' },
    sessions: { type: 'string', default: '100000' },
    others: { type: 'string', default: '1000000' },
    help: { type: 'boolean', default: false },
  },
});

const parts: Record<string, (bench: Bench) => Promise<void>> = {
  throughput,
  commands,
  paths,
  latency,
  memory: (bench) => memory(bench, Number(values.sessions)),
  growth: (bench) => growth(bench, Number(values.others)),
  heap: (bench) => heap(bench, Number(values.requests)),
  profile,
};

/** These depend on Redis alone, so one Node is enough. */
const oncePerRun = new Set(['memory', 'growth']);

const wanted = values.part.includes('all') ? Object.keys(parts) : values.part;
if (values.help || wanted.some((name) => !parts[name])) {
  console.log(usage);
  process.exit(values.help ? 0 : 1);
}

for (const [position, version] of values.node.split(',').entries()) {
  const redis = await startBenchRedis();
  const loader = startLoader();
  const bench = {
    node: findNode(version),
    redis,
    loader,
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    connections: Number(values.connections),
  };
  try {
    for (const name of wanted) {
      if (position === 0 || !oncePerRun.has(name)) await parts[name]?.(bench);
    }
  } finally {
    loader.stop();
    await redis.stop();
  }
}
