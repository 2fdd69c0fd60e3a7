import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../log.ts';
import type { RedisClient } from './client.ts';
import type { OpenedRedis } from './connect.ts';
import { type ConnectionStatusLogger, connectionStatusLogger } from './connection-status.ts';
import { deadlineMs, RedisUnavailable, withTimeout } from './deadline.ts';
import { type NodeAddress, type NodeClient, newNode, pingEveryMs } from './node.ts';

/** Where the Redis to talk to is, for now. */
type Endpoint = { name: string; address: NodeAddress };

export type PrimaryResolver = {
  /** Undefined, or an error, when that is not known just now. */
  find: () => Promise<Endpoint | undefined>;
  /** Rejects a Redis that is not the one it should be. */
  approve?: (client: NodeClient) => Promise<void>;
  /** How long it gets to name another Redis, before a silent one is connected to once more. */
  failoverGraceMs?: number;
  /** What kept it from knowing. */
  lastError?: () => unknown;
  close?: () => void;
};

type Link = { place: Endpoint; client: NodeClient; heardAt: number };

const checkIntervalMs = 250;
const openDeadlineMs = 1000;
/** A link on which nothing is heard for so long is dead, however ready it looks. */
const silenceMs = pingEveryMs + deadlineMs;

/**
 * Stays connected to one Redis: the one that its guide names. A broken connection comes back by itself; this
 * replaces one that leads to the wrong Redis, and one that went silent. Of that the library would take no notice
 * as long as there are commands to write.
 */
class FailoverConnection {
  readonly #resolver: PrimaryResolver;
  readonly #log: Logger;
  readonly #status: ConnectionStatusLogger;
  readonly #closing = new AbortController();
  #link: Link | undefined;
  #opening: NodeClient | undefined;
  #lastError: unknown;

  constructor(resolver: PrimaryResolver, log: Logger) {
    this.#resolver = resolver;
    this.#log = log;
    this.#status = connectionStatusLogger('Redis', log);
  }

  /** Resolves when there is a connection. */
  async connect(): Promise<void> {
    await this.#follow(() => this.#link !== undefined);
    void this.#follow(() => false);
  }

  /** The connection of now; for each call anew. */
  get node(): NodeClient {
    if (!this.#link) throw new RedisUnavailable('Redis is not connected yet');
    return this.#link.client;
  }

  get lastError(): unknown {
    return this.#lastError ?? this.#resolver.lastError?.();
  }

  async close(): Promise<void> {
    this.#leave();
    await this.#link?.client.close();
  }

  destroy(): void {
    this.#leave();
    if (this.#link?.client.isOpen) this.#link.client.destroy();
  }

  #leave(): void {
    this.#closing.abort();
    this.#resolver.close?.();
    if (this.#opening?.isOpen) this.#opening.destroy();
  }

  async #follow(isDone: () => boolean): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      // What failed is tried again, and reported by those who fail for it.
      await this.#look().catch(() => {});
      if (isDone()) return;
      await sleep(checkIntervalMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  async #look(): Promise<void> {
    const place = (await this.#resolver.find()) ?? this.#link?.place;
    if (!place) return;
    const silentForMs = this.#silentForMs();
    if (silentForMs > 0) this.#status.lost(new RedisUnavailable('Redis does not answer'));
    const isGivenUp = silentForMs > (this.#resolver.failoverGraceMs ?? 0);
    if (isGivenUp || place.name !== this.#link?.place.name) await this.#moveTo(place);
  }

  #silentForMs(): number {
    return this.#link?.client.isReady ? performance.now() - this.#link.heardAt - silenceMs : 0;
  }

  async #moveTo(place: Endpoint): Promise<void> {
    const client = newNode(place.address);
    const link = { place, client, heardAt: 0 };
    const hear = () => {
      link.heardAt = performance.now();
      if (this.#link === link) this.#status.back();
    };
    // Without a listener for `error`, node-redis lets a lost connection end the process.
    client.on('error', (error: unknown) => {
      this.#lastError = error;
      // A ping that is answered with an error, by a Redis that is loading, is no loss.
      if (client.isReady) link.heardAt = performance.now();
      else if (this.#link === link) this.#status.lost(error);
    });
    client.on('ready', hear);
    client.on('ping-interval', hear);

    this.#opening = client;
    try {
      await withTimeout(openDeadlineMs, client.connect());
      await this.#resolver.approve?.(client);
      this.#closing.signal.throwIfAborted();
    } catch (error) {
      if (client.isOpen) client.destroy();
      // Of a deadline that passed, the connection itself knows more.
      if (!(error instanceof RedisUnavailable)) this.#lastError = error;
      throw error;
    } finally {
      this.#opening = undefined;
    }
    const before = this.#link;
    this.#link = link;
    if (!before) return;
    if (before.client.isOpen) before.client.destroy();
    if (before.place.name !== place.name) this.#log.warn({ primary: place.name }, 'Redis failed over');
    this.#status.back();
  }
}

/** Opens a client that stays connected to the Redis which the resolver names. */
export function openConnection(resolver: PrimaryResolver, log: Logger): OpenedRedis {
  const connection = new FailoverConnection(resolver, log);
  return {
    client: asRedisClient(connection),
    ready: connection.connect(),
    lastError: () => connection.lastError,
    nodes: async () => [connection.node],
  };
}

// A client whose every command goes to the current connection.
function asRedisClient(connection: FailoverConnection): RedisClient {
  return {
    get: (...args) => connection.node.get(...args),
    set: (...args) => connection.node.set(...args),
    mGet: (...args) => connection.node.mGet(...args),
    del: (...args) => connection.node.del(...args),
    hGet: (...args) => connection.node.hGet(...args),
    zRange: (...args) => connection.node.zRange(...args),
    eval: (...args) => connection.node.eval(...args),
    ping: (...args) => connection.node.ping(...args),
    multi: () => connection.node.multi(),
    close: () => connection.close(),
    destroy: () => connection.destroy(),
  };
}
