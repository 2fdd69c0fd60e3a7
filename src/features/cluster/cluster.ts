import { setTimeout as sleep } from 'node:timers/promises';
import { createCluster } from 'redis';
import type { Logger } from '../../log.ts';
import { connectionStatusLogger } from '../../redis/connection-status.ts';
import { deadlineMs, RedisUnavailable } from '../../redis/deadline.ts';
import { commandOptions, type NodeClient, nodeSettings, socketSettings } from '../../redis/node.ts';
import type { HostAndPort } from '../../redis/url.ts';
import type { ClusterTarget } from './url.ts';

type ClusterClient = ReturnType<typeof newCluster>;
type Primary = ClusterClient['masters'][number];

const checkIntervalMs = 250;
/** How long a node may be away before the others are asked who has its slots now, and how often. */
const slotRefreshIntervalMs = 250;
/** How long a node may be silent, and still have its slots, until the link to it is given up. */
const silentLinkTimeoutMs = 3000;
/** Of a node that is named in the URL, so that one dead machine does not use up the time there is to start. */
const seed = { connectTimeout: 700, socketTimeout: 700 };

/** Connects to the primaries of a Cluster, and follows its slots; replicas are not read. */
export function openCluster(target: ClusterTarget, log: Logger) {
  const client = newCluster(target);
  const status = connectionStatusLogger('Redis', log);
  /** Addresses of primaries that do not answer. */
  const away = new Set<string>();
  const silentSince = new WeakMap<object, number>();
  let lastError: unknown;
  let wasReady = false;

  function lose(address: string, error: unknown): void {
    away.add(address);
    if (wasReady) status.lost(error);
  }
  function regain(address: string): void {
    away.delete(address);
    if (away.size === 0) status.back();
  }

  // An error of the cluster is a failed look at its slots; of a lost node the node itself tells.
  client.on('error', (error: unknown) => {
    lastError = error;
  });
  client.on('node-error', (error: unknown, { host, port }: HostAndPort) => {
    lastError = error;
    const address = `${host}:${port}`;
    // A ping that is answered with an error, by a Redis that is loading, is no loss.
    if (client.nodeByAddress.get(address)?.client?.isReady === false) lose(address, error);
  });
  client.on('node-ready', ({ host, port }: HostAndPort) => regain(`${host}:${port}`));

  async function watch(): Promise<void> {
    while (client.isOpen) {
      await Promise.all(client.masters.map(watchPrimary));
      const primaries = new Set(client.masters.map(({ address }) => address));
      for (const address of away) if (!primaries.has(address)) regain(address);
      await sleep(checkIntervalMs, undefined, { ref: false });
    }
  }

  async function watchPrimary(primary: Primary): Promise<void> {
    const link = primary.client;
    if (!link?.isReady) return;
    const now = performance.now();
    if (await answers(link)) {
      silentSince.delete(link);
      if (link.isReady) regain(primary.address);
      return;
    }
    const since = silentSince.get(link) ?? now;
    silentSince.set(link, since);
    lose(primary.address, new RedisUnavailable('Redis does not answer'));
    // The library takes no notice of silence as long as there is something to write. To this it listens: it asks
    // the others who has the slots now.
    link.emit('reconnecting');
    if (now - since > silentLinkTimeoutMs && primary.client === link) {
      Reflect.deleteProperty(primary, 'client');
      link.destroy();
    }
  }

  const ready = client.connect().then(() => {
    wasReady = true;
    void watch();
  });
  const nodes = () => Promise.all(client.masters.map((primary) => client.nodeClient(primary)));
  return { client, ready, lastError: () => lastError, nodes };
}

/** Whether anything came back in time, if only an error. */
async function answers(link: NodeClient): Promise<boolean> {
  const silence = Symbol('silence');
  const timeout = sleep(deadlineMs, silence, { ref: false });
  return (await Promise.race([link.ping().catch(() => undefined), timeout])) !== silence;
}

function newCluster({ nodes, credentials, tls }: ClusterTarget) {
  return createCluster({
    rootNodes: nodes.map(({ host, port }) => ({ socket: { host, port, ...seed } })),
    defaults: { ...nodeSettings, ...credentials, socket: { ...socketSettings, ...(tls && { tls }) } },
    commandOptions,
    topologyRefreshOnReconnectionAttemptStrategy: slotRefreshIntervalMs,
  });
}
