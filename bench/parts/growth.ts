import { type Bench, median, publish, type Samples, samples, save } from '../bench.ts';
import { lineChart } from '../chart.ts';
import { addSession, type BenchRedis } from '../redis.ts';
import { type RunningServer, startServer } from '../servers.ts';

const sizes = [1000, 10_000, 100_000, 1_000_000];
const repetitions = 60;
/** Until both ends are compiled; what is measured first would otherwise look slow. */
const warmUpRepetitions = 400;
const batch = 2000;
const steps = ['sign-in', 'page', 'session list', 'end all others'] as const;

type Step = (typeof steps)[number];
type Cost = { milliseconds: number[]; commands: number[] };

/** What one address's requests cost, with more and more sessions of others in Redis. */
export async function growth(bench: Bench, largest: number): Promise<void> {
  const { redis } = bench;
  const server = await startServer('latchkey', { node: bench.node.path, redisUrl: redis.url });
  const rows: [Step, string, string, Samples][] = [];
  const series = steps.map((label) => ({ label, values: [] as number[] }));
  const measured = sizes.filter((size) => size <= largest);
  try {
    await redis.client.flushAll();
    await measureSteps(server, redis, warmUpRepetitions);
    let others = 0;
    for (const size of measured) {
      for (; others < size; others += batch) await addOthers(redis, others, Math.min(batch, size - others));
      others = size;
      const costs = await measureSteps(server, redis, repetitions);
      for (const [step, cost] of costs) {
        series.find(({ label }) => label === step)?.values.push(median(cost.milliseconds));
        const commands = `${Math.min(...cost.commands)}–${Math.max(...cost.commands)}`;
        rows.push([step, size.toLocaleString('en'), commands, samples(cost.milliseconds)]);
      }
    }
  } finally {
    await server.stop();
    await redis.client.flushAll();
  }
  rows.sort((a, b) => steps.indexOf(a[0]) - steps.indexOf(b[0]));
  const isPublished = publish('growth.md', [
    '# With more and more sessions of others',
    `One address with three sessions; medians of ${repetitions}, one request at a time, over HTTP.`,
    { head: ['request', 'sessions of others', 'Redis commands', 'ms'], rows },
  ]);
  const title = 'One request, ms, with so many sessions of others in Redis';
  if (isPublished) save('growth.svg', lineChart(title, measured, series));
}

/** Sessions, each of another address. */
async function addOthers(redis: BenchRedis, first: number, count: number): Promise<void> {
  const pipeline = redis.client.multi();
  for (let number = first; number < first + count; number += 1) addSession(pipeline, `other-${number}@example.com`);
  await pipeline.execAsPipeline();
}

async function measureSteps(server: RunningServer, redis: BenchRedis, times: number): Promise<Map<Step, Cost>> {
  const costs = new Map(steps.map((step): [Step, Cost] => [step, { milliseconds: [], commands: [] }]));
  async function measure<Result>(step: Step, work: () => Promise<Result>): Promise<Result> {
    const before = await redis.commands();
    const startedAt = performance.now();
    const result = await work();
    costs.get(step)?.milliseconds.push(performance.now() - startedAt);
    costs.get(step)?.commands.push((await redis.commands()) - before);
    return result;
  }

  for (let repetition = 0; repetition < times; repetition += 1) {
    await server.signIn();
    await server.signIn();
    const cookie = await measure('sign-in', () => server.signIn());
    await measure('page', () => visit(server, cookie, '/', 200));
    await measure('session list', () => visit(server, cookie, '/admin', 200));
    await measure('end all others', () => visit(server, cookie, '/admin/end-other-sessions', 303, 'POST'));
  }
  return costs;
}

async function visit(server: RunningServer, cookie: string, path: string, status: number, method = 'GET') {
  const response = await fetch(server.url + path, { method, redirect: 'manual', headers: { cookie } });
  await response.arrayBuffer();
  if (response.status !== status) throw new Error(`${method} ${path} answered ${response.status}`);
}
