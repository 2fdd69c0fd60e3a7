import type { SessionLimits } from '../../src/config.ts';
import { endOf, idleSecondsOf } from '../../src/session/lifetime.ts';
import { decode, type StoredSession } from '../../src/session/record.ts';
import { reserved } from '../../src/session/scripts.ts';
import { sessionKey, tagOf } from '../../src/session/session-id.ts';
import type { RedisServer } from '../support/redis-server.ts';

// A script sees everything at one moment.
const everything = `
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local isIndex = redis.call('TYPE', key).ok == 'zset'
  local value = isIndex and redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') or redis.call('GET', key)
  table.insert(found, {key, redis.call('PEXPIRETIME', key), value})
end
return {redis.call('TIME'), found}`;

const dayMs = 86_400_000;

/** Counters of rate limits, forms that were sent, and what happened to an address: no sessions, and gone within days. */
function isPassing(name: string): boolean {
  return /^[lfh]:/.test(name);
}

/** Times are whole milliseconds, taken one after the other. */
const clockErrorMs = 5;

type Key = { name: string; endsAt: number; value: string | string[] };

type Reply = [time: [string, string], keys: [Key['name'], Key['endsAt'], Key['value']][]];

type RedisAudit = {
  complaints: string[];
  /** Index entries of sessions that have expired. */
  expiredEntries: number;
};

/**
 * What must hold at any moment, whatever happened:
 * - every key is a session, the index of an address, a counter or a form that was sent, and has an end;
 * - a session stands under the tag of its address, and lives no longer than a fresh one would;
 * - a live session is listed, and its index outlives it;
 * - an entry without a session is one of a session that expired: the time it is listed with has passed. It may
 *   stay until the next sign-in of its address, which removes it, or until the index ends.
 * @param signedInAt when each tag's address last signed in, as known before the audit; milliseconds since the epoch
 */
export async function auditRedis(
  redis: RedisServer,
  limits: SessionLimits,
  signedInAt: ReadonlyMap<string, number>,
): Promise<RedisAudit> {
  const { now, keys: all } = await lookAt(redis);
  const keys = all.filter(({ name }) => !isPassing(name));
  const ends = new Map(keys.map(({ name, endsAt }) => [name, endsAt]));
  const audit: RedisAudit = { complaints: [], expiredEntries: 0 };
  const listed = new Set<string>();
  function require(holds: boolean, complaint: string): void {
    if (!holds) audit.complaints.push(complaint);
  }

  for (const { name, endsAt } of all) {
    const days = name.startsWith('h:') ? 7 : 1;
    if (isPassing(name)) require(endsAt > 0 && endsAt <= now + days * dayMs, `${name} outlives its time`);
  }
  for (const { name, endsAt, value } of keys) {
    require(endsAt > 0, `${name} has no end`);
    require(endsAt <= now + limits.rememberIdleSeconds * 1000 + clockErrorMs, `${name} outlives every session`);
    const lastSignIn = signedInAt.get(name) ?? 0;
    for (const [member, score] of entriesOf(value)) {
      const session = sessionKey(name + member);
      const sessionEndsAt = ends.get(session);
      listed.add(session);
      if (sessionEndsAt === undefined) {
        audit.expiredEntries += 1;
        require(score <= now + clockErrorMs, `${session} is listed, and gone before its time`);
        require(score >= lastSignIn, `${session} has expired, and is listed after a sign-in that came later`);
      } else {
        require(endsAt >= sessionEndsAt, `${session} outlives its index`);
        require(sessionEndsAt >= score - clockErrorMs, `${session} ends before its entry says so`);
      }
    }
  }
  for (const { name, endsAt, value } of keys) {
    if (typeof value !== 'string' || value === reserved) continue;
    const session = sessionIn(value);
    require(session !== undefined, `${name} holds no session: ${value}`);
    if (!session) continue;
    require(name.startsWith(sessionKey(tagOf(session.email))), `${name} is of ${session.email}`);
    const idleMs = idleSecondsOf(session, limits) * 1000;
    require(endsAt <= now + idleMs + clockErrorMs, `${name} outlives its idle limit`);
    require(listed.has(name) || endOf(session, limits) <= now, `${name} is alive and not listed`);
  }
  return audit;
}

async function lookAt(redis: RedisServer): Promise<{ now: number; keys: Key[] }> {
  const reply = await redis.client((client) => client.eval(everything));
  const [[seconds, microseconds], keys] = reply as unknown as Reply;
  return {
    now: Number(seconds) * 1000 + Number(microseconds) / 1000,
    keys: keys.map(([name, endsAt, value]) => ({ name, endsAt, value })),
  };
}

function sessionIn(value: string): StoredSession | undefined {
  try {
    return decode(value);
  } catch {
    return undefined;
  }
}

function entriesOf(value: Key['value']): [member: string, score: number][] {
  if (typeof value === 'string') return [];
  return value.flatMap((member, position): [string, number][] =>
    position % 2 === 0 ? [[member, Number(value[position + 1])]] : [],
  );
}

/** How much Redis holds for sessions. */
export async function figuresOf(redis: RedisServer): Promise<{ keys: number; bytes: number }> {
  const [names, memory] = await redis.client((client) => Promise.all([client.keys('*'), client.info('memory')]));
  const keys = names.filter((name) => !isPassing(name)).length;
  return { keys, bytes: Number(/^used_memory:(\d+)/m.exec(memory)?.[1]) };
}
