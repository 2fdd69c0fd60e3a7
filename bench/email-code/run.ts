// npm run bench:mail -- [--quick] [--load NAME]... [--rounds 3] [--node 20], or [--beside DIRECTORY], or [--paths]
// What becomes of codes while mail servers, app processes and Redis are slow, full or killed. With --quick, the loads
// are ten times smaller, run all at once, and are not published. --beside
// measures POST /login beside another version instead, built in that directory; --paths measures the CPU time of a
// sign-in, in signed-in pages.
import { availableParallelism, loadavg } from 'node:os';
import { basename, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { withCleanup } from '../../scripts/cleanup.ts';
import { findNode } from '../../scripts/nodes.ts';
import { publish, samples } from '../bench.ts';
import { startLoader } from '../load.ts';
import { startBenchRedis } from '../redis.ts';
import { crowds, type Load, quietLoads, type Row, restarts, withStage } from './loads.ts';
import { codePaths } from './paths.ts';
import { measureSpeed } from './speed.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    load: { type: 'string', multiple: true, default: [] },
    beside: { type: 'string' },
    paths: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    node: { type: 'string', default: String(process.versions.node.split('.')[0]) },
  },
});
const node = findNode(values.node);
const rounds = values.quick ? 1 : Number(values.rounds);
const scale = values.quick ? 0.1 : 1;
const maxKnownSeconds = 2;

const wanted = ({ name }: Load) => values.load.length === 0 || values.load.some((text) => name.includes(text));
const alone = crowds.filter(wanted);
const inTurn = restarts.filter(wanted);
const together = quietLoads.filter(wanted);
const rows = new Map<string, Row[]>();
const startedAt = performance.now();
const [loadBefore = 0] = loadavg();

if (values.beside !== undefined) {
  const speed = await measureSpeed(node.path, resolve(values.beside));
  const command = `\`npm run bench:mail -- --beside DIRECTORY\` ${machine()}, with ${basename(values.beside)} built in that directory.`;
  publish('mail-speed.md', ['# POST /login beside another version', command, ...speed]);
  process.exit();
}
if (values.paths) {
  const redis = await startBenchRedis();
  const loader = startLoader();
  await withCleanup([redis.stop, loader.stop], () =>
    codePaths({ node, redis, loader, rounds, seconds: 2, connections: 10 }),
  );
  process.exit();
}
if (values.quick) await Promise.all([...alone, ...inTurn, ...together].map(startInTurn));
else {
  for (let round = 1; round <= rounds; round += 1) {
    await oneAfterTheOther(alone);
    await Promise.all([oneAfterTheOther(inTurn), ...together.map(startInTurn)]);
    console.log(`round ${round} of ${rounds}`);
  }
}
report();

// Apps that start all at once keep each other from starting in time.
async function startInTurn(load: Load, position: number): Promise<void> {
  await sleep(position * 2500);
  await measure(load);
}

async function oneAfterTheOther(loads: Load[]): Promise<void> {
  for (const load of loads) await measure(load);
}

async function measure(load: Load): Promise<void> {
  try {
    await withStage({ node: node.path, isDurable: load.isDurable === true }, async (stage) => {
      const row = await load.run(stage, scale);
      rows.set(load.name, [...(rows.get(load.name) ?? []), row]);
      console.log(`${load.name}: ${JSON.stringify(row)}`);
    });
  } catch (error) {
    // The others go on, and end what they have started.
    console.error(`${load.name}:`, error);
    process.exitCode = 1;
  }
}

function machine(): string {
  const date = new Date().toISOString().slice(0, 10);
  return `on ${date}, on ${availableParallelism()} cores with a load of ${loadBefore.toFixed(1)} before`;
}

function report(): void {
  const measured = [...crowds, ...quietLoads, ...restarts].flatMap(({ name }) => {
    const ofLoad = rows.get(name);
    return ofLoad ? [{ name, ofLoad }] : [];
  });
  const cells = measured.map(({ name, ofLoad }) => {
    const total = (pick: (row: Row) => number) => String(ofLoad.reduce((sum, row) => sum + pick(row), 0));
    const known = ofLoad.flatMap(({ knownSeconds }) => knownSeconds ?? []);
    return [
      name,
      total(({ promised }) => promised),
      total(({ sent }) => sent),
      total(({ doubled }) => doubled),
      total(({ lost }) => lost),
      samples(
        ofLoad.map(({ slowestSeconds }) => slowestSeconds),
        1,
      ),
      known.length > 0 ? samples(known) : '',
    ];
  });
  const head = ['load', 'promised', 'sent', 'doubled', 'lost', 'slowest s', 'known browser s'];
  const seconds = (performance.now() - startedAt) / 1000;
  const parts = [
    `# Mail on Node ${node.version}`,
    `\`npm run bench:mail\` ${machine()}, in ${seconds.toFixed(0)} s. Counts of all ${rounds} rounds together, and medians (least–most). Real app processes and SMTP servers on sockets; where something is killed or stopped, Redis with \`appendfsync always\`. "Slowest" is from the answer to the acceptance of the code, and so is "known browser", of a browser known to its address, without the relay's own time.`,
    { head, rows: cells },
  ];
  publish('mail.md', parts, { flaw: values.load.length > 0 ? 'only some of the loads ran' : undefined });
  const failed = measured.filter(({ ofLoad }) =>
    ofLoad.some(({ lost, knownSeconds = 0 }) => lost > 0 || knownSeconds > maxKnownSeconds),
  );
  for (const { name } of failed) console.error(`${name}: a code was lost, or the known browser's was late`);
  if (failed.length > 0) process.exitCode = 1;
}
