// npm run bench:workers -- [--rounds 5] [--seconds 3]
// CPU of a signed-in page with one process and with two workers, in turn. The load takes its share of the same cores, so
// what two cores could serve is computed: twice the CPU, divided by what a page costs.
import { parseArgs } from 'node:util';
import { publish, samples } from '../bench.ts';
import { startLoader } from '../load.ts';
import { cpuSecondsOf } from '../process.ts';
import { startBenchRedis } from '../redis.ts';
import { email, type RunningServer, startServer } from '../servers.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '3' } },
});
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
const connections = 16;
const goal = 1.8;

const redis = await startBenchRedis();
const loader = startLoader();
try {
  const start = (WORKERS: string) =>
    startServer('latchkey', { node: process.execPath, redisUrl: redis.url, env: { WORKERS } });
  const one = await start('1');
  const two = await start('2');
  const cookie = await one.signIn();
  for (const server of [one, two]) await microsecondsPerPage(server, cookie);
  const measured: { one: number; two: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    measured.push({ one: await microsecondsPerPage(one, cookie), two: await microsecondsPerPage(two, cookie) });
  }
  const speedUps = measured.map((each) => (2 * each.one) / each.two);
  const isMet = speedUps.every((ratio) => ratio >= goal);
  publish('workers.md', [
    `# Two workers beside one process, on Node ${process.versions.node}`,
    `${rounds} rounds of ${seconds} s each, in turn, ${connections} connections, Redis ${redis.version}. CPU of all processes of Latchkey.`,
    {
      head: ['what', 'median (least–most)'],
      rows: [
        ['a signed-in page of one process, µs', samples(measured.map(({ one }) => one))],
        ['a signed-in page of two workers, µs', samples(measured.map(({ two }) => two))],
        ['throughput of two cores, times that of one', samples(speedUps)],
      ],
    },
    `Goal: at least ${goal.toFixed(1)} in each round: ${isMet ? 'met' : 'missed'}.`,
  ]);
  await Promise.all([one.stop('SIGTERM'), two.stop('SIGTERM')]);
} finally {
  loader.stop();
  await redis.stop();
}

async function microsecondsPerPage({ url, pid }: RunningServer, cookie: string): Promise<number> {
  const before = cpuSecondsOf(pid);
  const { requests } = await loader.run({ url: `${url}/`, cookie, expect: email, connections, seconds });
  return (1e6 * (cpuSecondsOf(pid) - before)) / requests;
}
