// npm run bench:gate -- [--node 20] [--rounds 5] [--seconds 3] [--connections 10]
// What a check costs Latchkey and nginx, beside a signed-in page, a bare node:http that asks Redis the same, and nginx
// alone.
import { parseArgs } from 'node:util';
import { type Closers, withCleanup } from '../../scripts/cleanup.ts';
import { findNode } from '../../scripts/nodes.ts';
import { type Bench, publish, ratios, samples, verdict, versions } from '../bench.ts';
import { startLoader } from '../load.ts';
import { startBenchRedis } from '../redis.ts';
import { email, startModule, startServer } from '../servers.ts';
import { type MeasuredProxy, startProxies } from './nginx.ts';
import { openSite, site } from './open-site.ts';

const { values } = parseArgs({
  options: {
    node: { type: 'string', default: String(process.versions.node.split('.')[0]) },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '10' },
  },
});

type Cpu = () => Promise<number>;
/** What is measured: where the load goes, and whose CPU counts. */
type Contestant = {
  name: string;
  load: Omit<Parameters<Bench['loader']['run']>[0], 'connections' | 'seconds' | 'requests'>;
  cpus: Record<'node' | 'nginx', Cpu | undefined>;
};
type Round = { perSecond: number; p50: number; p99: number; node: number; nginx: number; commands: number };

const warmUpSeconds = 2;
/** CPU of a check, divided by that of the same round of another, at most. */
const goals = [
  { name: 'signed-in page', atMost: 0.5 },
  { name: 'bare node:http with a GET', atMost: 2 },
];
const closers: Closers = [];
await withCleanup(closers, measureAll);

async function measureAll(): Promise<void> {
  const redis = await startBenchRedis();
  closers.push(redis.stop);
  const loader = startLoader();
  closers.push(loader.stop);
  const bench: Bench = {
    node: findNode(values.node),
    redis,
    loader,
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    connections: Number(values.connections),
  };
  const contestants = await startAll(bench);
  const rounds = new Map<string, Round[]>(contestants.map(({ name }) => [name, []]));
  for (const contestant of contestants) await measure(contestant, warmUpSeconds, bench);
  for (let round = 0; round < bench.rounds; round += 1) {
    // Each is the first once in a while: what else the machine does comes and goes.
    const first = round % contestants.length;
    for (const contestant of [...contestants.slice(first), ...contestants.slice(0, first)]) {
      rounds.get(contestant.name)?.push(await measure(contestant, bench.seconds, bench));
    }
    console.log(`round ${round + 1} of ${bench.rounds} on Node ${bench.node.version}`);
  }
  report(rounds, bench);
}

async function startAll(bench: Bench): Promise<Contestant[]> {
  const options = { node: bench.node.path, redisUrl: bench.redis.url };
  const env = { GATE_SITES: site, TRUST_PROXY: 'loopback' };
  const latchkey = await startServer('latchkey', { ...options, env });
  closers.push(latchkey.stop);
  const bare = await startModule('bare', new URL('bare.mjs', import.meta.url), options);
  closers.push(bare.stop);
  const nginx = await startProxies({ latchkey: latchkey.url, app: bare.url });
  closers.push(nginx.stop);

  const session = await latchkey.signIn();
  const cookie = await openSite(latchkey.url, session);
  const asked = { headers: { 'X-Original-URL': `${site}/page?x=1`, 'X-Original-Method': 'GET' }, expect: '' };
  const node = latchkey.cpuMicroseconds;
  const throughNginx = (proxy: MeasuredProxy, name: string, cpu: Cpu | undefined): Contestant => ({
    name,
    load: { url: proxy.url, cookie, headers: proxy.headers, expect: 'hello' },
    cpus: { node: cpu, nginx: proxy.cpuMicroseconds },
  });
  return [
    { name: 'check', load: { ...asked, url: `${latchkey.url}/gate/nginx`, cookie }, cpus: { node, nginx: undefined } },
    {
      name: 'signed-in page',
      load: { url: latchkey.url, cookie: session, expect: email },
      cpus: { node, nginx: undefined },
    },
    {
      name: 'bare node:http with a GET',
      load: { ...asked, url: `${bare.url}/gate/nginx`, cookie },
      cpus: { node: bare.cpuMicroseconds, nginx: undefined },
    },
    throughNginx(nginx.guarded, 'app behind nginx, with the gate', node),
    throughNginx(nginx.open, 'app behind nginx alone', undefined),
  ];
}

async function measure({ load, cpus }: Contestant, seconds: number, bench: Bench): Promise<Round> {
  const before = { node: await cpus.node?.(), nginx: await cpus.nginx?.(), commands: await bench.redis.commands() };
  const { requests, ...result } = await bench.loader.run({ ...load, connections: bench.connections, seconds });
  const used = async (which: 'node' | 'nginx') =>
    ((await cpus[which]?.()) ?? Number.NaN) - (before[which] ?? Number.NaN);
  return {
    perSecond: requests / result.seconds,
    p50: result.p50,
    p99: result.p99,
    node: (await used('node')) / requests,
    nginx: (await used('nginx')) / requests,
    commands: ((await bench.redis.commands()) - before.commands) / requests,
  };
}

function report(rounds: Map<string, Round[]>, bench: Bench): void {
  const checks = rounds.get('check') ?? [];
  const rows = [...rounds].map(([name, measured]) => {
    const of = (pick: (round: Round) => number, digits: number) => samples(measured.map(pick), digits);
    return [
      name,
      of(({ perSecond }) => perSecond, 0),
      of(({ p50 }) => p50, 2),
      of(({ p99 }) => p99, 2),
      of(({ node }) => node, 0),
      of(({ nginx }) => nginx, 0),
      of(({ commands }) => commands, 2),
    ];
  });
  const cpu = (measured: Round[] = []) => measured.map(({ node }) => node);
  const compared = goals.map(({ name, atMost }) => {
    const ratio = ratios(cpu(checks), cpu(rounds.get(name)));
    return [name, ratio, verdict(ratio.values, atMost)];
  });
  const { rounds: count, seconds, connections, node } = bench;
  publish('gate.md', [
    `# The gate on Node ${node.version}`,
    `Medians of ${count} rounds (least–most) of ${seconds} s each, all in turn, ${connections} connections. CPU is of the Node process that is asked, and of nginx.`,
    { head: ['what', 'requests per s', 'p50 ms', 'p99 ms', 'Node µs', 'nginx µs', 'Redis commands'], rows },
    'CPU of a check on Latchkey, divided by that of the same round of:',
    { head: ['what', 'median (least–most)', 'goal'], rows: compared },
    `${versions(bench)}.`,
  ]);
  // One that asks twice is a fault, whatever the machine was doing.
  if (checks.some(({ commands }) => commands > 1.05)) process.exitCode = 1;
}
