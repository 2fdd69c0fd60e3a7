import { ConfigError, type RedisTarget, redisPermissions } from '../../config.ts';
import type { Service } from '../../core.ts';
import type { Logger } from '../../log.ts';
import type { RedisClient } from '../../redis/client.ts';
import type { OpenedRedis, RedisOptions } from '../../redis/connect.ts';
import { deadlineMs, withTimeout } from '../../redis/deadline.ts';
import type { NodeClient } from '../../redis/node.ts';
import type {} from '../../shared/redis-client.ts';
import type { RedisPermissions } from '../../shared/redis-permissions.ts';
import { aclRule, missingPermissions } from './permissions.ts';

const minMajorVersion = 7;

/** What to write instead. */
const forms = {
  cluster: 'name a Redis that is none',
  sentinel: 'name the Redis that it watches',
};
forms.cluster = 'write redis+cluster://:password@host1:7000,host2:7001'; // feature: cluster
forms.sentinel = 'write redis+sentinel://:password@host1:26379,host2:26379/mymaster'; // feature: sentinel

/**
 * Refuses a Redis that could not sign anybody in, and warns of settings that would lose what it holds.
 * @throws {ConfigError} with every reason and its fix; {RedisUnavailable} when Redis does not answer. The connection is
 * closed then.
 */
export async function checkRedis(opened: OpenedRedis, kind: RedisTarget['kind'], options: RedisOptions): Promise<void> {
  try {
    await checkServer(opened, kind, options);
  } catch (error) {
    opened.client.destroy();
    throw error;
  }
}

async function checkServer({ client }: OpenedRedis, kind: RedisTarget['kind'], { log }: RedisOptions): Promise<void> {
  const permissions = redisPermissions[kind];
  const processes = await withTimeout(deadlineMs, client.nodes());
  const unsuitable = await Promise.all(processes.map((node) => problemOf(node, kind)));
  refuseFor([...new Set(unsuitable)].filter((problem) => problem !== undefined));
  const lacking = await missingPermissions(client, permissions).catch((err: unknown) => {
    log.warn({ err }, 'the permissions of the Redis user could not be checked');
    return undefined;
  });
  const problems: string[] = [];
  if (lacking?.refused !== undefined) {
    const rule = aclRule(permissions, client.keyPrefix ?? '');
    problems.push(`the Redis user ${lacking.refused}; set its ACL rule to: ${rule}`);
  }
  if (lacking && lacking.absent.length > 0) {
    const names = lacking.absent.join(', ');
    problems.push(
      `Redis does not know ${names}, which Latchkey needs; remove the rename-command, or use another Redis`,
    );
  }
  refuseFor(problems);
  await checkKeeping(client, processes, { permissions, log });
}

function refuseFor(problems: string[]): void {
  if (problems.length > 0) throw new ConfigError(problems);
}

/** What a restart of a Redis, which saves nothing, would lose for good. */
const losses = new WeakMap<RedisClient, string>();

/**
 * Keeps the app from starting on a Redis whose restart would lose something for good. The operator's commands, which
 * start no service, are only warned: they are what helps then.
 */
export function refuseToLose(redis: RedisClient): Service {
  return {
    async start() {
      const loss = losses.get(redis);
      if (loss !== undefined) throw new ConfigError([loss]);
    },
  };
}

/** Warns of what Redis would lose when it restarts, or when it is full. */
async function checkKeeping(
  client: RedisClient,
  processes: NodeClient[],
  { permissions, log }: { permissions: readonly RedisPermissions[]; log: Logger },
): Promise<void> {
  const found = await Promise.all(
    processes.map((node) => withTimeout(deadlineMs, keepingOf(node)).catch(() => unknown)),
  );
  const policies = new Set(found.map(({ policy }) => policy).filter((policy) => policy !== 'noeviction'));
  const savesNothing = found.some((keeping) => keeping.savesNothing);
  if (found.some(({ isLoading }) => isLoading)) {
    return log.warn('Redis is still loading: its persistence and eviction could not be checked');
  }
  if (!(savesNothing || policies.size > 0)) return;
  const lasting = await lastingIn(client, permissions);
  if (savesNothing) {
    const loss = lasting === undefined ? 'sign everybody out' : `lose the ${lasting} that it holds for good`;
    const warning = `Redis keeps nothing on disk, so restarting it would ${loss}: set appendonly yes`;
    if (lasting !== undefined) losses.set(client, warning);
    log.warn(warning);
  }
  for (const policy of policies) {
    // The others evict only what ends by itself.
    const evicted = lasting !== undefined && policy.startsWith('allkeys-') ? `sessions and ${lasting}` : 'sessions';
    log.warn(`Redis may evict ${evicted} when it is full (${policy}): set maxmemory-policy noeviction`);
  }
}

/** What Redis holds that must not be lost, in a word. */
async function lastingIn(client: RedisClient, permissions: readonly RedisPermissions[]): Promise<string | undefined> {
  for (const { lasting } of permissions) {
    if (!lasting) continue;
    const script = "return redis.call('TYPE', KEYS[1]).ok";
    const kind = await withTimeout(deadlineMs, client.eval(script, { keys: [lasting.key], arguments: [] }));
    if (kind !== 'none') return lasting.what;
  }
  return undefined;
}

/** Why this process is not one that `REDIS_URL` should lead to, and what to write there. */
async function problemOf(node: NodeClient, kind: string): Promise<string | undefined> {
  const { version, mode } = await withTimeout(deadlineMs, node.hello());
  // A node serves its own slots only: some visitors could sign in, and others not.
  if (mode === 'cluster' && kind !== 'cluster') return `REDIS_URL names a node of a Cluster; ${forms.cluster}`;
  if (mode === 'sentinel') return `REDIS_URL names a Sentinel; ${forms.sentinel}`;
  return Number.parseInt(version, 10) < minMajorVersion
    ? `Redis is ${version}, which lacks commands that sign-in needs; run Redis 7.0 or newer, or Valkey`
    : undefined;
}

/** Whether a process keeps what it holds. While it loads that, it says that it has no append-only file. */
type Keeping = { isLoading: boolean; savesNothing: boolean; policy: string };

/** Of one that restricts INFO, which is taken as it is. */
const unknown: Keeping = { isLoading: false, savesNothing: false, policy: 'noeviction' };

async function keepingOf(node: NodeClient): Promise<Keeping> {
  const info = await node.info();
  const read = (field: string) => new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  return {
    isLoading: read('loading') === '1',
    savesNothing: read('aof_enabled') === '0' && (await savesNothing(node)),
    policy: read('maxmemory_policy') || unknown.policy,
  };
}

// INFO doesn't say whether snapshots are configured.
async function savesNothing(node: NodeClient): Promise<boolean> {
  try {
    return (await node.configGet('save')).save === '';
  } catch {
    return false;
  }
}
