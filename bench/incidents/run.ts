// npm run bench:incidents -- [--sessions 1000000]
// How long each of the operator's commands takes, beside the sessions of everybody else. Each is a process of its own, as
// the operator starts it; its output is kept.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import type { EmailAddress } from '../../src/session/email-address.ts';
import { encode } from '../../src/session/record.ts';
import { handleOf, indexKey, newSessionId, sessionKey, tagOf } from '../../src/session/session-id.ts';
import { publish, table } from '../bench.ts';
import { type BenchRedis, startBenchRedis } from '../redis.ts';

const { values } = parseArgs({ options: { sessions: { type: 'string', default: '1000000' } } });
const sessions = Number(values.sessions);
const batch = 5000;
const eightHoursMs = 8 * 3600 * 1000;
const secret = 'a secret of the bench of 32 characters and more';
const ann = 'ann@example.com';

const redis = await startBenchRedis();
try {
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
  const rows = lines.map((line) => measure(redis, line, handle));
  const version = process.versions.node;
  publish(
    'incidents.md',
    [
      `# The operator's commands, with ${sessions.toLocaleString('en')} sessions`,
      `Each once, from the start of its process to its end, on Node ${version} and Redis ${redis.version}; one session per address.`,
      table(['command', 'output', 's'], rows),
    ].join('\n\n'),
  );
} finally {
  await redis.stop();
}

function measure({ url }: BenchRedis, line: string, handle: string): string[] {
  const startedAt = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/cli/latchkey.js', ...line.split(' ')], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, REDIS_URL: url, SESSION_SECRET: secret },
  });
  if (status !== 0) throw new Error(`latchkey ${line} ended with code ${status}: ${stderr}`);
  const seconds = (performance.now() - startedAt) / 1000;
  const [first = ''] = stdout.split('\n');
  const shown = first === '{' ? `JSON of ${stdout.split('\n').length} lines` : first;
  return [`latchkey ${line.replace(handle, 'SESSION')}`, shown, seconds.toFixed(1)];
}

/** Sessions as they are stored, each of another address. */
async function addSessions({ client }: BenchRedis, first: number): Promise<void> {
  const now = Date.now();
  const pipeline = client.multi();
  for (let number = first; number < Math.min(first + batch, sessions); number += 1) {
    addSession(pipeline, `visitor${number}@example.com`, now);
  }
  await pipeline.execAsPipeline();
}

async function addSessionsOf({ client }: BenchRedis, email: string, count: number): Promise<string[]> {
  const pipeline = client.multi();
  const handles = Array.from({ length: count }, () => addSession(pipeline, email, Date.now()));
  await pipeline.execAsPipeline();
  return handles;
}

function addSession(pipeline: ReturnType<BenchRedis['client']['multi']>, email: string, now: number): string {
  const tag = tagOf(email);
  const id = newSessionId(tag);
  const session = { email: email as EmailAddress, signedInAt: now, lastSeenAt: now, remember: false };
  pipeline.set(sessionKey(id), encode({ ...session, device: 'Firefox on Linux' }), {
    expiration: { type: 'PX', value: eightHoursMs },
  });
  pipeline.zAdd(indexKey(tag), { score: now + eightHoursMs, value: id.slice(tag.length) });
  pipeline.pExpire(indexKey(tag), eightHoursMs);
  return handleOf(id);
}
