import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorReply } from 'redis';
import { now } from '../../clock.ts';
import type { Core, Service } from '../../core.ts';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, RedisUnavailable, withTimeout } from '../../redis/deadline.ts';
import type { NodeClient } from '../../redis/node.ts';
import { anonymousTag } from '../../session/session-id.ts';
import { figures } from '../../shared/figures.ts';
import type {} from '../../shared/redis-client.ts';

/** How often the sessions are counted, by one process for all. */
export const sampleSeconds = 300;
const lookMs = 60_000;
/** Redis looks at so many keys at a time, and serves nobody else meanwhile: one or two milliseconds. */
const keysPerStep = 1000;
const pauseMs = 10;
const sampleKey = 'metrics:sessions';
const turnKey = 'metrics:turn';
/** A sample that nobody has renewed for so long is not worth showing to a process that starts. */
const keptSeconds = 3600;

// The keys stay in Redis: only their number is of interest.
const stepScript = `
local reply = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])
local sessions = 0
for _, key in ipairs(reply[2]) do
  if not string.find(key, ARGV[4], 1, true) then sessions = sessions + 1 end
end
return {reply[1], sessions}`;

const named = {
  sessions: { name: 'latchkey_sessions', help: 'Live sessions of all processes, when they were last counted' },
  sampled: {
    name: 'latchkey_sessions_sampled_timestamp_seconds',
    help: 'When the live sessions were last counted, in seconds since the epoch; 0 before the first time',
  },
};

/**
 * Counts the live sessions every five minutes. One process does so for all, whichever comes first; it leaves the result
 * in Redis, where the others read it. No request ever waits for that.
 */
export function countSessions({ redis, log }: Pick<Core, 'redis' | 'log'>): Service {
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  let isForbidden = false;

  async function look(): Promise<void> {
    const expiration = { type: 'EX', value: sampleSeconds } as const;
    const turn = await withTimeout(deadlineMs, redis.set(turnKey, '', { condition: 'NX', expiration }));
    if (turn !== 'OK') return show(redis);
    const sessions = await scan();
    if (sessions === undefined) return;
    const sample = `${sessions} ${Math.floor(now() / 1000)}`;
    await withTimeout(deadlineMs, redis.set(sampleKey, sample, { expiration: { type: 'EX', value: keptSeconds } }));
    publish(sample);
  }

  async function scan(): Promise<number | undefined> {
    let sessions = 0;
    for (const node of await redis.nodes()) {
      for await (const found of steps(node, redis.keyPrefix ?? '')) {
        if (isStopped) return undefined;
        sessions += found;
      }
    }
    return sessions;
  }

  function lookSoon(): void {
    if (isForbidden) return;
    look().catch((error: unknown) => {
      const cause = error instanceof RedisUnavailable ? error.cause : undefined;
      // Of a Redis that is away, its connection reports.
      isForbidden = cause instanceof ErrorReply && /^NOPERM|can't run this command/i.test(cause.message);
      if (isForbidden) log.warn('live sessions are not counted, because the Redis user may not use SCAN: allow +scan');
    });
  }

  return {
    async start() {
      publish('0 0');
      await show(redis).catch(() => {});
      timer = setInterval(lookSoon, lookMs).unref();
      lookSoon();
    },
    async stop() {
      isStopped = true;
      clearInterval(timer);
    },
  };
}

/** How many sessions each step finds on a node. */
async function* steps(node: NodeClient, keyPrefix: string): AsyncGenerator<number> {
  const pattern = `${escapeGlob(keyPrefix)}{${'?'.repeat(anonymousTag.length)}}${'?'.repeat(22)}`;
  let cursor = '0';
  do {
    const values = [cursor, pattern, String(keysPerStep), `{${anonymousTag}}`];
    const reply = await withTimeout(deadlineMs, node.eval(stepScript, { keys: [], arguments: values }));
    const [next, sessions] = Array.isArray(reply) ? reply : [];
    cursor = String(next ?? '0');
    yield Number(sessions);
    await sleep(pauseMs, undefined, { ref: false });
  } while (cursor !== '0');
}

async function show(redis: RedisClient): Promise<void> {
  const sample = await withTimeout(deadlineMs, redis.get(sampleKey));
  if (sample !== null) publish(sample);
}

function publish(sample: string): void {
  const [sessions, sampledAt] = sample.split(' ').map(Number);
  figures.publish({ ...named.sessions, set: sessions ?? 0 });
  figures.publish({ ...named.sampled, set: sampledAt ?? 0 });
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\^-]/g, '\\$&');
}
