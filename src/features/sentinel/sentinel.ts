import { ErrorReply } from 'redis';
import type { OpenedRedis, RedisOptions } from '../../redis/connect.ts';
import { RedisUnavailable, withTimeout } from '../../redis/deadline.ts';
import { type NodeClient, newNode, reconnecting } from '../../redis/node.ts';
import type { HostAndPort } from '../../redis/url.ts';
import { connectionStatusLogger } from '../../shared/connection-status.ts';
import { explainRedisFailure } from '../../shared/redis-failures.ts';
import { openPrimary } from '../failover/failover.ts';
import type { PrimaryResolver } from '../failover/failover-connection.ts';
import type { SentinelTarget } from './url.ts';

type NamedPrimary = HostAndPort & { epoch: number };

const askDeadlineMs = 500;
const failoverGraceMs = 3000;

/** Connects to the primary that Sentinels name, and follows it when it moves. */
export function openSentinel(target: SentinelTarget, options: RedisOptions): OpenedRedis {
  const { credentials, database } = target;
  const tls = target.tls ? { ca: options.ca } : undefined;
  return openPrimary(sentinelResolver(target, options), { credentials, database, tls }, options);
}

/**
 * Finds the primary that Sentinels name (https://redis.io/docs/latest/develop/reference/sentinel-clients/).
 *
 * node-redis's own `createSentinel` is not used: while it looks for the primary, every command waits, for one Sentinel
 * after another. A machine that is down then holds up all requests, and what a visitor was refused long ago is carried
 * out in the end. Here, a command goes to the primary that is known, or fails.
 */
function sentinelResolver(target: SentinelTarget, { log, ca }: RedisOptions): PrimaryResolver {
  const { primaryName, sentinelCredentials: credentials, tls } = target;
  const status = connectionStatusLogger('Sentinels', log);
  let latest: NamedPrimary | undefined;
  let lastError: unknown;
  const unanswered = new Set<NodeClient>();

  const sentinels = target.sentinels.map((address) => {
    const sentinel = newNode(address, { credentials, tls: tls ? { ca } : undefined }, reconnecting);
    sentinel.on('error', (error: unknown) => {
      lastError = error;
    });
    // Retries until it is closed.
    sentinel.connect().catch(() => {});
    return sentinel;
  });

  async function ask(sentinel: NodeClient): Promise<NamedPrimary | undefined> {
    // One that has gone silent, perhaps along with the primary, would delay the answers of the others each time.
    if (unanswered.has(sentinel)) throw new RedisUnavailable('a Sentinel does not answer');
    unanswered.add(sentinel);
    // During a failover the first reply names the new address before the second one does.
    const answer = Promise.all([
      sentinel.sendCommand<string[] | null>(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', primaryName]),
      sentinel.sendCommand<Record<string, string>>(['SENTINEL', 'MASTER', primaryName]).catch(() => undefined),
    ]).finally(() => unanswered.delete(sentinel));
    const [address, state] = await withTimeout(askDeadlineMs, answer);
    const [host, port] = address ?? [];
    return host === undefined || !state
      ? undefined
      : { host, port: Number(port), epoch: Number(state['config-epoch']) };
  }

  return {
    async find() {
      const answers = await Promise.allSettled(sentinels.map(ask));
      const heard = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
      const [refusal] = answers.flatMap((answer) =>
        answer.status === 'rejected' && answer.reason.cause instanceof ErrorReply ? [answer.reason.cause] : [],
      );
      if (heard.length === 0 && refusal) lastError = refusal;
      const known = heard.filter((primary) => primary !== undefined);
      const [named] = known.sort((a, b) => b.epoch - a.epoch);
      if (heard.length > 0) status.back();
      else if (latest) status.lost(lastError);
      if (heard.length > 0 && !named) lastError = new Error(`no Sentinel knows a primary named ${primaryName}`);
      // A Sentinel that was cut off may still name a primary that has been replaced. If all of them name one, that counts
      // whatever was heard before: Sentinels that were set up anew count from 0.
      const haveAllNamedOne = known.length === sentinels.length;
      if (named && (haveAllNamedOne || named.epoch >= (latest?.epoch ?? 0))) latest = named;
      return latest && { host: latest.host, port: latest.port };
    },
    failoverGraceMs,
    lastError: () => explainRedisFailure(lastError, { kind: 'sentinel', tls }),
    close() {
      for (const sentinel of sentinels) if (sentinel.isOpen) sentinel.destroy();
    },
  };
}
