import { reasonOf } from '../../cli/command.ts';
import { type Opened, permissionProblem } from '../../cli/operator.ts';
import type { Config } from '../../config.ts';
import { checkWritable } from '../../redis/client.ts';
import type { RedisUnavailable } from '../../redis/deadline.ts'; // feature: redis-checks
import { deadlineMs, withTimeout } from '../../redis/deadline.ts';
import type { Finding } from '../../shared/operations.ts';
import { measureSkew } from '../../shared/redis-clock.ts';
import { commandPermissions } from './settings.ts';

const maxSkewMs = 5000;

/** Redis itself, beside what the start has found: its version, whether it takes writes, its clock, and what the commands ask of it. */
export async function checkRedis({ redis, keyspace }: Opened, config: Config): Promise<Finding[]> {
  const versions = await keyspace.versions();
  const [writes, clock, lacking] = await Promise.all([
    checkWrites(redis),
    checkClock(redis),
    keyspace.lacking(commandPermissions),
  ]);
  const unchecked: Finding[] = [];
  unchecked.push(...(await findUnchecked(redis))); // feature: redis-checks
  return [
    { what: 'Redis', detail: `${config.redis?.kind ?? 'private'}, version ${versions.join(', ')}` },
    writes,
    ...unchecked,
    clock,
    { what: 'permissions of the commands', problem: permissionProblem(lacking) },
  ];
}

/**
 * A Redis that is full, or can't save, still answers reads. For `/readyz`, one shard of a Cluster that takes writes is enough;
 * here all must.
 */
async function checkWrites(redis: Opened['redis']): Promise<Finding> {
  const writes = (redis.probeKeys ?? ['ready']).map((key) => checkWritable(redis, [key]));
  const problem = await withTimeout(deadlineMs, Promise.all(writes)).then(
    () => undefined,
    (error: unknown) => `nobody can sign in: ${reasonOf(error)}`,
  );
  return { what: 'writes to Redis', problem };
}

async function checkClock(redis: Opened['redis']): Promise<Finding> {
  const skewMs = await measureSkew(redis);
  const problem = Math.abs(skewMs) > maxSkewMs ? 'synchronize the clocks of both machines (NTP)' : undefined;
  return { what: 'clock', detail: `${(skewMs / 1000).toFixed(1)} s from that of Redis`, problem };
}

// feature: redis-checks
/** What the start, which takes a Redis that restricts INFO or CONFIG as it is, could not look at. */
async function findUnchecked(redis: Opened['redis']): Promise<Finding[]> {
  const what = 'persistence and eviction';
  const nodes = await redis.nodes();
  const asked = Promise.all(nodes.flatMap((node) => [node.info('memory'), node.configGet('save')]));
  const error = await withTimeout(deadlineMs, asked).then(
    () => undefined,
    ({ cause }: RedisUnavailable) => (cause instanceof Error ? cause.message : 'no answer'),
  );
  if (error === undefined) return [];
  return error.startsWith('NOPERM')
    ? [{ what, problem: 'they could not be checked: allow the Redis user +info +config|get' }]
    : [{ what, detail: `not all could be checked (${error})` }];
}
// end: redis-checks
