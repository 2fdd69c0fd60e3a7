// npm run bench:incidents -- [--sessions 1000000] [--rounds 3]
// How long each of the operator's commands takes, beside the sessions of everybody else. Each is a process of its own, as
// the operator starts it; its output is kept.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { handleOf } from '../../src/session/session-id.ts';
import { publish, samples } from '../bench.ts';
import { addSession, type BenchRedis, startBenchRedis } from '../redis.ts';

const { values } = parseArgs({
  options: { sessions: { type: 'string', default: '1000000' }, rounds: { type: 'string', default: '3' } },
});
const [sessions, rounds] = [Number(values.sessions), Number(values.rounds)];
const batch = 5000;
const secret = 'a secret of the bench of 32 characters and more';
const ann = 'ann@example.com';

const redis = await startBenchRedis();
try {
  const measured: Measured[][] = [];
  for (let round = 0; round < rounds; round += 1) {
    measured.push(await measureRound(redis));
    console.log(`round ${round + 1} of ${rounds}`);
  }
  const rows = (measured[0] ?? []).map(({ command, output }, position) => [
    command,
    output,
    samples(
      measured.map((round) => round[position]?.seconds ?? Number.NaN),
      1,
    ),
  ]);
  publish('incidents.md', [
    `# The operator's commands, with ${sessions.toLocaleString('en')} sessions`,
    `Medians of ${rounds} rounds (least–most), from the start of a command's process to its end, on Node ${process.versions.node} and Redis ${redis.version}; one session per address.`,
    { head: ['command', 'output', 's'], rows },
  ]);
} finally {
  await redis.stop();
}

type Measured = { command: string; output: string; seconds: number };

async function measureRound(redis: BenchRedis): Promise<Measured[]> {
  await redis.client.flushAll();
  for (let added = 0; added < sessions; added += batch) await addSessions(redis, added);
  const [handle = ''] = await addSessionsOf(redis, ann, 3);
  // In this order, since some leave nothing for the next.
  const lines = [
    `sessions ${ann}`,
    `end ${ann} --session ${handle}`,
    'count',
    `why ${ann}`,
    'block 203.0.113.0/24 --for 24h',
    'unblock 203.0.113.0/24',
    `unblock ${ann}`,
    `export ${ann}`,
    `end ${ann}`,
    `forget ${ann} --yes`,
    'end --everyone --yes',
  ];
  return lines.map((line) => measure(redis, line, handle));
}

function measure({ url }: BenchRedis, line: string, handle: string): Measured {
  const startedAt = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/cli/latchkey.js', ...line.split(' ')], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, REDIS_URL: url, SESSION_SECRET: secret },
  });
  if (status !== 0) throw new Error(`latchkey ${line} ended with code ${status}: ${stderr}`);
  const seconds = (performance.now() - startedAt) / 1000;
  const [first = ''] = stdout.split('\n');
  // The time that a command tells itself is that of one round.
  const output = first === '{' ? `JSON of ${stdout.split('\n').length} lines` : first.replace(/ in [\d.]+ s\.$/, '.');
  return { command: `latchkey ${line.replace(handle, 'SESSION')}`, output, seconds };
}

/** Sessions, each of another address. */
async function addSessions({ client }: BenchRedis, first: number): Promise<void> {
  const pipeline = client.multi();
  for (let number = first; number < Math.min(first + batch, sessions); number += 1) {
    addSession(pipeline, `visitor${number}@example.com`);
  }
  await pipeline.execAsPipeline();
}

async function addSessionsOf({ client }: BenchRedis, email: string, count: number): Promise<string[]> {
  const pipeline = client.multi();
  const handles = Array.from({ length: count }, () => handleOf(addSession(pipeline, email)));
  await pipeline.execAsPipeline();
  return handles;
}
