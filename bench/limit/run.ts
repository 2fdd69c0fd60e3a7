// npm run bench:limit -- [--quick] [--node 20] [--rounds 5] [--seconds 1.25]
// The highest rate of signed-in pages at which 99 of 100 are complete within 50 ms. Each server has a core for itself;
// nginx with the shipped file, Redis and the load share the others. With --quick, which publishes nothing, each is tried
// at three rates only.
import { parseArgs } from 'node:util';
import { type Closers, withCleanup } from '../../scripts/cleanup.ts';
import { findNode } from '../../scripts/nodes.ts';
import { median, publish, ratios, type Samples, samples, type Table, versions } from '../bench.ts';
import { startDelay } from '../delay.ts';
import { startNginx } from '../nginx.ts';
import { type BenchRedis, pingMilliseconds, startBenchRedis } from '../redis.ts';
import { email, type RunningServer, requireSamePage, type ServerName, startServer } from '../servers.ts';
import { Bisection } from './bisection.ts';
import { divideCores, pin, watchCores } from './cores.ts';
import { type OpenLoad, type OpenLoader, startOpenLoader } from './open-loop.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    node: { type: 'string', default: String(process.versions.node.split('.')[0]) },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
  },
});
const node = findNode(values.node);
const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
const seconds = Number(values.seconds ?? (values.quick ? 0.4 : 1.25));
const triesPerRound = values.quick ? 3 : 7;

const maxP99Ms = 50;
const redisDelayMs = 1;
const connections = 64;
const settleSeconds = 0.25;
const warmUpSeconds = values.quick ? 0.5 : 3;
/** What the load can't reach even on an idle machine, as a multiple of what each server answers when it is saturated. */
const ceiling = 1.25;
const peers: ServerName[] = ['textbook', 'fastify, tuned'];

type Distance = 'near' | 'far';
type Contestant = {
  name: ServerName;
  distance: Distance;
  server: RunningServer;
  load: Omit<OpenLoad, 'perSecond' | 'seconds'>;
  /** Requests per second of a saturated server. */
  saturated: number;
  rounds: Try[];
};
type Try = { perSecond: number; p50: number; serverCore: number; otherCores: number };

const cores = divideCores();
if (cores) pin(process.pid, cores.others);
else if (values.quick) console.log('not pinned to cores: that takes taskset (util-linux) and two cores');
else throw new Error('bench:limit needs two cores, and taskset of util-linux to pin processes to them');

const closers: Closers = [];
await withCleanup(closers, measureAll);

async function measureAll(): Promise<void> {
  const redis = await startBenchRedis();
  closers.push(redis.stop);
  const loader = startOpenLoader();
  closers.push(loader.stop);
  const delay = await startDelay(redis.port, redisDelayMs);
  closers.push(delay.close);
  const urls = { near: redis.url, far: `redis://127.0.0.1:${delay.port}` };
  const pings = { near: await pingMilliseconds(urls.near), far: await pingMilliseconds(urls.far) };

  const contestants: Contestant[] = [];
  for (const distance of ['near', 'far'] as const) {
    for (const name of ['latchkey', ...peers] as const) {
      contestants.push(await enter(name, distance, urls[distance], loader));
    }
  }
  requireSamePage(contestants.map(({ load }) => load.contentLength));
  for (let round = 1; round <= rounds; round += 1) {
    await measureRound(contestants, loader);
    console.log(`round ${round} of ${rounds} on Node ${node.version}`);
  }
  report(contestants, redis, pings);
}

async function enter(name: ServerName, distance: Distance, redisUrl: string, loader: OpenLoader): Promise<Contestant> {
  const server = await startServer(name, { node: node.path, redisUrl, env: { TRUST_PROXY: 'loopback' } });
  closers.push(server.stop);
  if (cores) pin(server.pid, [cores.ofServers]);
  const { host, hostname } = new URL(server.url);
  const nginx = await startNginx({
    shipped: 'nginx',
    host: hostname,
    replace: (text) =>
      text
        .replaceAll('127.0.0.1:3001', host)
        .replace(/^ *server 127\.0\.0\.1:3002.*\n/m, '')
        .replaceAll('login.example.com', hostname)
        // TLS costs nginx and the load the same, whoever is measured.
        .replaceAll('listen 443 ssl http2', 'listen 443'),
  });
  closers.push(nginx.stop);
  const cookie = await server.signIn();
  const page = await fetch(server.url, { headers: { cookie } });
  const body = Buffer.from(await page.arrayBuffer());
  if (page.status !== 200 || !body.includes(email)) throw new Error(`${name} did not greet who is signed in`);
  const request = `GET / HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\n\r\n`;
  const load = { port: nginx.port, request, contentLength: body.length, connections, settleSeconds };
  const saturate = { ...load, perSecond: Number.POSITIVE_INFINITY };
  await loader.run({ ...saturate, seconds: warmUpSeconds });
  const { perSecond: saturated } = await loader.run({ ...saturate, seconds });
  if (saturated === 0) throw new Error(`${name} answers with errors only`);
  return { name, distance, server, load, saturated, rounds: [] };
}

/** Searches the limit of all servers, each one step at a time, so that what else the machine does meets all of them. */
async function measureRound(contestants: Contestant[], loader: OpenLoader): Promise<void> {
  const running = contestants.map((contestant) => {
    const best: Try = { perSecond: 0, p50: Number.NaN, serverCore: Number.NaN, otherCores: Number.NaN };
    return { contestant, bisection: new Bisection(contestant.saturated * ceiling), best };
  });
  for (let count = 0; count < triesPerRound; count += 1) {
    for (const each of running) {
      // A hiccup of the machine is no limit of a server, so a rate that fails is tried once more.
      const result =
        (await attempt(each.contestant, each.bisection.next, loader)) ??
        (await attempt(each.contestant, each.bisection.next, loader));
      if (result) each.best = result;
      each.bisection.take(result !== undefined);
    }
  }
  for (const { contestant, best } of running) contestant.rounds.push(best);
}

/** @returns undefined if the server was too slow at this rate */
async function attempt({ server, load }: Contestant, perSecond: number, loader: OpenLoader): Promise<Try | undefined> {
  const startedAt = performance.now();
  const cpuBefore = await server.cpuMicroseconds();
  const busyShare = watchCores(cores?.others ?? []);
  const { p50, p99 } = await loader.run({ ...load, perSecond, seconds });
  const otherCores = busyShare();
  const cpu = (await server.cpuMicroseconds()) - cpuBefore;
  if (p99 > maxP99Ms) return undefined;
  return { perSecond, p50, serverCore: cpu / 1000 / (performance.now() - startedAt), otherCores };
}

function report(contestants: Contestant[], redis: BenchRedis, pings: Record<Distance, number>): void {
  const distances: Record<Distance, string> = {
    near: `Redis on the same machine, ${pings.near.toFixed(2)} ms for a round trip:`,
    far: `Redis ${redisDelayMs} ms away, ${pings.far.toFixed(2)} ms for a round trip:`,
  };
  const ofAll = (distance: Distance) => contestants.filter((contestant) => contestant.distance === distance);
  const tables = (['near', 'far'] as const).flatMap((distance) => [distances[distance], limits(ofAll(distance))]);
  const parts = [
    `# Throughput at the limit, on Node ${node.version}`,
    `The highest rate of signed-in pages at which 99 of 100 are complete ${maxP99Ms} ms after they were due, through nginx over ${connections} kept connections. Medians of ${rounds} rounds (least–most) of ${triesPerRound} tries of ${seconds} s, all servers in turn. Each server has a core for itself; nginx, Redis and the load share ${cores?.others.length} more. A rate that fails is tried once more.`,
    ...tables,
    "Latchkey's rate, divided by that of the same round of:",
    {
      head: ['peer', 'Redis on the same machine', `Redis ${redisDelayMs} ms away`],
      rows: peers.map((peer) => [peer, ratioTo(peer, ofAll('near')), ratioTo(peer, ofAll('far'))]),
    },
    `${versions({ node, redis })}.`,
  ];
  publish('limit.md', parts, { flaw: values.quick ? 'it was a quick run' : flawOf(contestants) });
}

/** What was limited by something other than the server is no limit of the server. */
function flawOf(contestants: Contestant[]): string | undefined {
  if (!cores) return 'the servers had no core of their own';
  const limitedByOthers = contestants.filter(
    ({ rounds: measured }) =>
      !(median(measured.map((best) => best.serverCore)) > median(measured.map((best) => best.otherCores))),
  );
  if (limitedByOthers.length === 0) return undefined;
  const names = [...new Set(limitedByOthers.map(({ name }) => name))].join(', ');
  return `the other cores were busier than that of ${names}, so these are no limits; stop whatever else runs here`;
}

function limits(contestants: Contestant[]): Table {
  const rows = contestants.map(({ name, rounds: measured }) => {
    const of = (pick: (best: Try) => number, digits: number) => samples(measured.map(pick), digits);
    return [
      name,
      of(({ perSecond }) => perSecond, 0),
      of(({ p50 }) => p50, 1),
      of(({ serverCore }) => 100 * serverCore, 0),
      of(({ otherCores }) => 100 * otherCores, 0),
    ];
  });
  return { head: ['server', 'requests per s', 'p50 ms', 'its core busy, %', 'other cores busy, %'], rows };
}

function ratioTo(peer: ServerName, contestants: Contestant[]): Samples {
  const ratesOf = (name: ServerName) =>
    contestants.find((contestant) => contestant.name === name)?.rounds.map(({ perSecond }) => perSecond) ?? [];
  return ratios(ratesOf('latchkey'), ratesOf(peer));
}
