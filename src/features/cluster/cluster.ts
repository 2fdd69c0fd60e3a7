import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { createCluster } from 'redis';
import type { RedisClient } from '../../redis/client.ts';
import type { OpenedRedis, RedisOptions } from '../../redis/connect.ts';
import { deadlineMs, RedisUnavailable } from '../../redis/deadline.ts';
import { type NodeClient, nodeSettings, reconnecting } from '../../redis/node.ts';
import type { HostAndPort } from '../../redis/url.ts';
import { connectionStatusLogger } from '../../shared/connection-status.ts';
import { redisClient } from '../../shared/redis-client.ts';
import { explainRedisFailure, lostText, refusalIn } from '../../shared/redis-failures.ts';
import type { ClusterTarget } from './url.ts';

type ClusterClient = ReturnType<typeof newCluster>;
type Primary = ClusterClient['masters'][number];

const checkIntervalMs = 250;
/** How long the library tries a lost connection before it asks the other nodes who has its slots now, and how often. */
const slotRefreshIntervalMs = 250;
/** How long a node that still owns its slots may miss the deadline of a ping before its connection is replaced. */
const silentLinkTimeoutMs = 3000;
/** For the nodes in the URL, so that one dead machine does not use up the time there is to start. */
const seedTimeouts = { connectTimeout: 700, socketTimeout: 700 };
/** Keys on several nodes: a Cluster that has lost one node still serves most visitors. */
const probeKeys = Array.from({ length: 8 }, (_, number) => `ready${number}`);

/** Connects to the primaries of a Cluster, and follows its slots; replicas are not read. */
export function openCluster(target: ClusterTarget, options: RedisOptions): OpenedRedis {
  const client = newCluster(target, options.ca);
  const status = connectionStatusLogger('Redis', options.log);
  /** Addresses of primaries that do not answer. */
  const away = new Set<string>();
  /** When a node was asked something that it has not answered yet. */
  const unanswered = new WeakMap<NodeClient, number>();
  const openingSince = new WeakMap<NodeClient, number>();
  let lastError: unknown;
  let lastNodeError: unknown;
  let wasReady = false;

  function lose(address: string, error: unknown): void {
    away.add(address);
    if (wasReady) status.lost(error);
  }
  function regain(address: string): void {
    away.delete(address);
    if (away.size > 0) return;
    lastNodeError = undefined;
    status.back();
  }

  const refusal = () => (away.size > 0 ? refusalIn(lastNodeError) : undefined);
  const explained = () => explainRedisFailure(lastError, { kind: 'cluster', tls: target.tls });

  // An error of the cluster is a failed slot refresh; the nodes report lost connections themselves.
  client.on('error', (error: unknown) => {
    lastError = error;
  });
  client.on('node-error', (error: unknown, { host, port }: HostAndPort) => {
    lastError = error;
    lastNodeError = error;
    const address = `${host}:${port}`;
    // A ping may be answered with an error, as by a Redis that is loading; that is no loss.
    if (client.nodeByAddress.get(address)?.client?.isReady === false) lose(address, error);
    const reason = refusal();
    if (reason !== undefined) status.stillLost(reason, explained());
  });
  client.on('node-ready', ({ host, port }: HostAndPort) => {
    const address = `${host}:${port}`;
    if (client.nodeByAddress.get(address)?.client?.isReady) regain(address);
  });

  async function watch(): Promise<void> {
    while (client.isOpen) {
      // Answers that arrived while this process was busy are read first.
      await setImmediate();
      client.masters.forEach(watchPrimary);
      const primaries = new Set(client.masters.map(({ address }) => address));
      for (const address of away) if (!primaries.has(address)) regain(address);
      if (away.size > 0) refreshSlots();
      await sleep(checkIntervalMs, undefined, { ref: false });
    }
  }

  function watchPrimary(primary: Primary): void {
    const link = primary.client;
    if (link?.isReady) watchLink(primary, link);
    else if (link && primary.connectPromise) watchOpening(primary, link);
  }

  // Waits for no answer: a silent primary would delay what is done about the others.
  function watchLink(primary: Primary, link: NodeClient): void {
    const askedAt = unanswered.get(link);
    if (askedAt === undefined) {
      unanswered.set(link, performance.now());
      // Even an error is an answer, unless it is that of a lost connection.
      const heard = () => {
        unanswered.delete(link);
        if (link.isReady) regain(primary.address);
      };
      link.ping().then(heard, heard);
      return;
    }
    const silentMs = performance.now() - askedAt - deadlineMs;
    if (silentMs > 0) lose(primary.address, new RedisUnavailable('Redis does not answer'));
    if (silentMs > silentLinkTimeoutMs) replaceLink(primary, link);
  }

  // The library waits for its first connection to a node before it asks for the slots again, however long that takes.
  function watchOpening(primary: Primary, link: NodeClient): void {
    const since = openingSince.get(link) ?? performance.now();
    openingSince.set(link, since);
    if (performance.now() - since < deadlineMs) return;
    lose(primary.address, new RedisUnavailable('Redis does not answer'));
    replaceLink(primary, link);
  }

  // Commands wait for a connection that the library is opening, and would be carried out long after they were refused. So
  // the new one opens without the library's knowledge: until it is ready, commands are refused at once.
  function replaceLink(primary: Primary, link: NodeClient): void {
    const opening = primary.connectPromise;
    Reflect.deleteProperty(primary, 'client');
    Reflect.deleteProperty(primary, 'connectPromise');
    link.destroy();
    // A connection that was given up while it was opened is completed by the library.
    opening?.then(() => link.destroy()).catch(() => {});
    client.nodeClient(primary).catch(() => {});
    Reflect.deleteProperty(primary, 'connectPromise');
  }

  // The library asks the others who has the slots of a connection that was lost, but not of one that is silent, nor of
  // one that has taken its place and was never ready. After a close in the meantime, nothing else would close what it opens.
  function refreshSlots(): void {
    const closeLate = () => {
      if (!client.isOpen) client.destroy();
    };
    client._slots.rediscover(undefined, away).then(closeLate, closeLate);
  }

  const ready = client.connect().then(() => {
    wasReady = true;
    void watch();
  });
  const nodes = () => Promise.all(client.masters.map((primary) => client.nodeClient(primary)));
  const sharded: NonNullable<RedisClient['sharded']> = {
    subscribe: (channel, listener) => client.sSubscribe(channel, listener),
    unsubscribe: (channel) => client.sUnsubscribe(channel),
  };
  const lifecycle = { close: () => client.close(), destroy: () => client.destroy() };
  return {
    client: redisClient({
      current: () => client,
      nodes,
      probeKeys,
      whyLost: () => lostText(refusal()),
      sharded,
      ...lifecycle,
    }),
    ready,
    lastError: explained,
  };
}

/** @public for its test */
export function newCluster({ nodes, credentials, tls }: ClusterTarget, ca: string[] | undefined) {
  const client = createCluster({
    rootNodes: nodes.map(({ host, port }) => ({ socket: { host, port, ...seedTimeouts } })),
    defaults: {
      ...nodeSettings,
      ...reconnecting,
      ...credentials,
      socket: { ...reconnecting.socket, ...(tls && { tls, ca }) },
    },
    commandOptions: nodeSettings.commandOptions,
    topologyRefreshOnReconnectionAttemptStrategy: slotRefreshIntervalMs,
  });
  handleFailures(client, 'subscribe');
  handleFailures(client, 'sSubscribe');
  return client;
}

/**
 * When slots move, the library subscribes anew by itself, and awaits no answer: a subscription that fails would end the
 * process. Whoever calls the method still learns of the failure.
 */
function handleFailures(client: object, name: string): void {
  // What the library returns inherits from the client that subscribes anew.
  const owner: unknown = Reflect.get(client, '_self');
  const subscribe: unknown = Reflect.get(client, name);
  if (typeof owner !== 'object' || owner === null || typeof subscribe !== 'function') {
    throw new Error(`a Cluster client has no ${name}()`);
  }
  Reflect.set(owner, name, (...args: unknown[]) => {
    const answer: Promise<unknown> = Reflect.apply(subscribe, owner, args);
    answer.catch(() => {});
    return answer;
  });
}
