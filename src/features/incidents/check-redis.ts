import type { Opened } from '../../cli/operator.ts';
import type { Config } from '../../config.ts';
import type { Finding } from '../../core.ts';
import { commandPermissions } from './settings.ts';

const maxSkewMs = 5000;

/** Redis itself, beside what the start has found: its version, its clock, and what the commands ask of it. */
export async function checkRedis({ redis, keyspace }: Opened, config: Config): Promise<Finding[]> {
  const versions = await keyspace.versions();
  const [clock, lacking] = await Promise.all([checkClock(redis), keyspace.lacking(commandPermissions.commands)]);
  return [
    { what: 'Redis', detail: `${config.redis?.kind ?? 'private'}, version ${versions.join(', ')}` },
    clock,
    {
      what: 'permissions of the commands',
      problem:
        lacking.length > 0
          ? `the Redis user may not use ${lacking.join(', ')}, which only these commands need: allow it (${lacking.map((name) => `+${name}`).join(' ')}), or run them with another user in REDIS_URL`
          : undefined,
    },
  ];
}

async function checkClock(redis: Opened['redis']): Promise<Finding> {
  const askedAt = Date.now();
  const [seconds, microseconds] = await redis.time();
  const skewMs = (askedAt + Date.now()) / 2 - (Number(seconds) * 1000 + Number(microseconds) / 1000);
  const problem = Math.abs(skewMs) > maxSkewMs ? 'synchronize the clocks of both machines (NTP)' : undefined;
  return { what: 'clock', detail: `${(skewMs / 1000).toFixed(1)} s from that of Redis`, problem };
}
