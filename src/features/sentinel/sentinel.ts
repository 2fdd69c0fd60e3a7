import type { Logger } from '../../log.ts';
import type { OpenedRedis } from '../../redis/connect.ts';
import { connectionStatusLogger } from '../../redis/connection-status.ts';
import { withTimeout } from '../../redis/deadline.ts';
import { openConnection, type PrimaryResolver } from '../../redis/failover-connection.ts';
import { type NodeClient, newNode } from '../../redis/node.ts';
import type { HostAndPort } from '../../redis/url.ts';
import type { SentinelTarget } from './url.ts';

type Named = HostAndPort & { epoch: number };

const askDeadlineMs = 500;
const failoverGraceMs = 3000;

/** Connects to the primary that Sentinels name, and follows it when it moves. */
export function openSentinel(target: SentinelTarget, log: Logger): OpenedRedis {
  return openConnection(sentinelResolver(target, log), log);
}

/**
 * Finds the primary that Sentinels name (https://redis.io/docs/latest/develop/reference/sentinel-clients/).
 *
 * Not with node-redis's own `createSentinel`: while that looks for the primary every command waits, on one Sentinel
 * after another, so a machine that is gone holds up all requests, and what was refused to the visitor long ago is
 * done at last. Here a command goes to the primary that is known, or fails.
 */
function sentinelResolver(target: SentinelTarget, log: Logger): PrimaryResolver {
  const { primaryName, sentinelCredentials, credentials, tls, database } = target;
  const status = connectionStatusLogger('Sentinels', log);
  let latest: Named | undefined;
  let lastError: unknown;

  const sentinels = target.sentinels.map((address) => {
    const sentinel = newNode({ ...address, credentials: sentinelCredentials, tls });
    sentinel.on('error', (error: unknown) => {
      lastError = error;
    });
    // It goes on trying, and ends with an error only when it is closed.
    sentinel.connect().catch(() => {});
    return sentinel;
  });

  async function ask(sentinel: NodeClient): Promise<Named | undefined> {
    // During a failover the address is already the new one, before the rest of the second answer says so.
    const [address, state] = await withTimeout(
      askDeadlineMs,
      Promise.all([
        sentinel.sendCommand<string[] | null>(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', primaryName]),
        sentinel.sendCommand<Record<string, string>>(['SENTINEL', 'MASTER', primaryName]).catch(() => undefined),
      ]),
    );
    const [host, port] = address ?? [];
    return host === undefined || !state
      ? undefined
      : { host, port: Number(port), epoch: Number(state['config-epoch']) };
  }

  return {
    async find() {
      const answers = await Promise.allSettled(sentinels.map(ask));
      const heard = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
      const [named] = heard.filter((one) => one !== undefined).sort((a, b) => b.epoch - a.epoch);
      if (heard.length > 0) status.back();
      else if (latest) status.lost(lastError);
      if (heard.length > 0 && !named) lastError = new Error(`no Sentinel knows a primary of the name ${primaryName}`);
      // A Sentinel that was cut off may still name a primary that has been replaced.
      if (named && named.epoch >= (latest?.epoch ?? 0)) latest = named;
      if (!latest) return undefined;
      const { host, port } = latest;
      return { name: `${host}:${port}`, address: { host, port, credentials, tls, database } };
    },
    async approve(client) {
      const state = await withTimeout(askDeadlineMs, client.role());
      if (state?.role !== 'master') throw new Error('this is not the primary yet');
    },
    failoverGraceMs,
    lastError: () => lastError,
    close() {
      for (const sentinel of sentinels) if (sentinel.isOpen) sentinel.destroy();
    },
  };
}
