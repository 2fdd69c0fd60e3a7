import { type Opened, permissionProblem } from '../../cli/operator.ts';
import type { Config } from '../../config.ts';
import type { Finding } from '../../shared/operations.ts';
import { measureSkew } from '../../shared/redis-clock.ts';
import { commandPermissions } from './settings.ts';

const maxSkewMs = 5000;

/** Redis itself, beside what the start has found: its version, its clock, and what the commands ask of it. */
export async function checkRedis({ redis, keyspace }: Opened, config: Config): Promise<Finding[]> {
  const versions = await keyspace.versions();
  const [clock, lacking] = await Promise.all([checkClock(redis), keyspace.lacking(commandPermissions)]);
  return [
    { what: 'Redis', detail: `${config.redis?.kind ?? 'private'}, version ${versions.join(', ')}` },
    clock,
    { what: 'permissions of the commands', problem: permissionProblem(lacking) },
  ];
}

async function checkClock(redis: Opened['redis']): Promise<Finding> {
  const skewMs = await measureSkew(redis);
  const problem = Math.abs(skewMs) > maxSkewMs ? 'synchronize the clocks of both machines (NTP)' : undefined;
  return { what: 'clock', detail: `${(skewMs / 1000).toFixed(1)} s from that of Redis`, problem };
}
