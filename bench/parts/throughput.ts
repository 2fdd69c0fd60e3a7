import {
  type Bench,
  median,
  publish,
  ratios,
  samples,
  save,
  type Table,
  verdict,
  versions,
  warmUpSeconds,
} from '../bench.ts';
import { barChart } from '../chart.ts';
import { email, type RunningServer, requireSamePage, type ServerName, serverNames, startServer } from '../servers.ts';

type Round = { perSecond: number; p50: number; p99: number; cpuMicroseconds: number; commands: number };
type Contestant = { server: RunningServer; cookie: string; pageBytes: number; rounds: Round[] };

/** CPU per request of one core-bound process, as a multiple of the peer's, at most. */
const goals: { peer: ServerName; below24: number; from24: number }[] = [
  { peer: 'textbook', below24: 0.4, from24: 0.7 },
  { peer: 'fastify, tuned', below24: 0.85, from24: 0.85 },
  { peer: 'no session', below24: 1.35, from24: 1.5 },
];

/** A signed-in page on each server in turn, several rounds. */
export async function throughput(bench: Bench): Promise<void> {
  const contestants: Contestant[] = [];
  try {
    for (const name of serverNames) contestants.push(await enter(name, bench));
    requireSamePage(contestants.map(({ pageBytes }) => pageBytes));
    for (let round = 0; round < bench.rounds; round += 1) {
      // Each is the first once in a while: what the machine does besides comes and goes.
      const first = round % contestants.length;
      for (const contestant of [...contestants.slice(first), ...contestants.slice(0, first)]) {
        contestant.rounds.push(await measure(contestant, bench.seconds, bench));
      }
      console.log(`round ${round + 1} of ${bench.rounds} on Node ${bench.node.version}`);
    }
  } finally {
    for (const { server } of contestants) await server.stop();
  }
  report(contestants, bench);
}

async function enter(name: ServerName, bench: Bench): Promise<Contestant> {
  const server = await startServer(name, { node: bench.node.path, redisUrl: bench.redis.url });
  const cookie = await server.signIn();
  const page = await fetch(server.url, { headers: cookie === '' ? {} : { cookie } });
  const contestant = { server, cookie, pageBytes: (await page.arrayBuffer()).byteLength, rounds: [] };
  await measure(contestant, warmUpSeconds(bench), bench);
  return contestant;
}

async function measure({ server, cookie }: Contestant, seconds: number, bench: Bench): Promise<Round> {
  const commandsBefore = await bench.redis.commands();
  const cpuBefore = await server.cpuMicroseconds();
  const { url } = server;
  const load = await bench.loader.run({ url, cookie, expect: email, connections: bench.connections, seconds });
  const cpu = (await server.cpuMicroseconds()) - cpuBefore;
  return {
    perSecond: load.requests / load.seconds,
    p50: load.p50,
    p99: load.p99,
    cpuMicroseconds: cpu / load.requests,
    commands: ((await bench.redis.commands()) - commandsBefore) / load.requests,
  };
}

function report(contestants: Contestant[], bench: Bench): void {
  const rows = contestants.map(({ server, rounds, pageBytes }) => {
    const of = (pick: (round: Round) => number, digits: number) => samples(rounds.map(pick), digits);
    return [
      server.name,
      of((round) => round.perSecond, 0),
      of((round) => round.p50, 2),
      of((round) => round.p99, 2),
      of((round) => round.cpuMicroseconds, 0),
      of((round) => round.commands, 2),
      String(pageBytes),
    ];
  });
  const head = ['server', 'requests per s', 'p50 ms', 'p99 ms', 'CPU µs per request', 'Redis commands', 'page bytes'];
  const { rounds, seconds, connections, node } = bench;
  const isPublished = publish(`node${node.major}.md`, [
    `# A signed-in page on Node ${node.version}`,
    `Medians of ${rounds} rounds (least–most) of ${seconds} s each, all servers in turn, ${connections} connections.`,
    { head, rows },
    'CPU per request of Latchkey, divided by that of the same round of:',
    { head: ['peer', 'median (least–most)', 'goal'], rows: ratioRows(contestants, bench) },
    `${versions(bench)}.`,
  ]);
  if (!isPublished) return;
  const bars = contestants.map(({ server, rounds }) => ({
    label: server.name,
    value: median(rounds.map((round) => round.cpuMicroseconds)),
  }));
  const title = `CPU per request to a signed-in page, µs, Node ${node.version}`;
  save(`node${node.major}.svg`, barChart(title, bars));
}

function ratioRows(contestants: Contestant[], bench: Bench): Table['rows'] {
  const cpu = ({ rounds }: Contestant) => rounds.map(({ cpuMicroseconds }) => cpuMicroseconds);
  const [latchkey, ...peers] = contestants;
  return peers.map((peer) => {
    const ratio = ratios(latchkey ? cpu(latchkey) : [], cpu(peer));
    const goal = goals.find(({ peer: name }) => name === peer.server.name);
    const atMost = Number(bench.node.major) < 24 ? goal?.below24 : goal?.from24;
    return [peer.server.name, ratio, atMost === undefined ? '' : verdict(ratio.values, atMost)];
  });
}
