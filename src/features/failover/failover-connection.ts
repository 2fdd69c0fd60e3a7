import { setImmediate } from 'node:timers/promises';
import type { Logger } from '../../log.ts';
import { RedisUnavailable } from '../../redis/deadline.ts';
import { type NodeAddress, type NodeClient, type NodeOptions, newNode } from '../../redis/node.ts';
import { type ConnectionStatusLogger, connectionStatusLogger } from '../../shared/connection-status.ts';
import { explainRedisFailure, refusalIn } from '../../shared/redis-failures.ts';
import { candidatesFor, firstPrimary, PrimaryMoved, reasonOf, untilMoved } from './candidates.ts';
import { faultOf, type Link, maxSilenceMs, nameOf, retire, silenceMsOf } from './link.ts';

export type PrimaryResolver = {
  /** Where the primary is; undefined, or an error, while that isn't known. */
  find: () => Promise<NodeAddress | undefined>;
  /** How long a silent Redis is left alone, so that the resolver can name another one in the meantime. */
  failoverGraceMs?: number;
  /** Why it doesn't know. */
  lastError?: () => unknown;
  close?: () => void;
};

/** A lost connection is not opened again by the library, which would stay with the address that it resolved. */
const once = { socket: { reconnectStrategy: false } } as const;
const checkIntervalMs = 250;
const heartbeatIntervalMs = 500;
/** Unused for so long and checked since, a connection is checked less often. The next command starts the checks again. */
const idleAfterMs = 200;
const idleCheckIntervalMs = 30_000;

/**
 * Stays connected to the primary that a resolver names. A connection is replaced when it breaks, when it goes silent,
 * when the resolver names another Redis, and when its Redis has become a read-only replica: behind a DNS name or a
 * proxy that still looks like a working connection, as reads succeed. Each attempt resolves host names anew.
 */
export class FailoverConnection {
  /** Called whenever a new connection replaces another, before its first command. */
  readonly connectListeners: (() => void)[] = [];
  readonly #resolver: PrimaryResolver;
  readonly #options: NodeOptions;
  readonly #log: Logger;
  readonly #status: ConnectionStatusLogger;
  readonly #closing = new AbortController();
  readonly #opening = new Set<NodeClient>();
  #link: Link | undefined;
  #lastError: unknown;
  #usedAt = 0;
  #finding: Promise<NodeAddress | undefined> | undefined;
  #endPause = () => {};

  constructor(resolver: PrimaryResolver, options: NodeOptions, log: Logger) {
    this.#resolver = resolver;
    this.#options = options;
    this.#log = log;
    this.#status = connectionStatusLogger('Redis', log);
  }

  /** Resolves once connected. */
  async connect(): Promise<void> {
    await this.#follow(() => this.#link !== undefined);
    void this.#follow(() => false);
  }

  /** The current connection; ask for it anew with every command. */
  get node(): NodeClient {
    const now = performance.now();
    const wasIdle = now - this.#usedAt > idleAfterMs;
    this.#usedAt = now;
    if (wasIdle) this.#endPause();
    if (!this.#link) throw new RedisUnavailable('Redis is not connected yet');
    return this.#link.client;
  }

  /** Why it is not connected, for the operator. */
  get lastError(): unknown {
    const { lastError } = this.#resolver;
    if (this.#lastError === undefined && lastError) return lastError();
    return explainRedisFailure(this.#lastError, { kind: 'redis', tls: this.#options.tls !== undefined });
  }

  /** Why no connection replaces one that was lost, in a word; undefined if it may come back by itself. */
  get refusal(): string | undefined {
    return this.#link?.client.isReady ? undefined : refusalIn(this.#lastError);
  }

  async close(): Promise<void> {
    this.#leave();
    if (this.#link?.client.isOpen) await this.#link.client.close();
  }

  destroy(): void {
    this.#leave();
    if (this.#link?.client.isOpen) this.#link.client.destroy();
  }

  #leave(): void {
    this.#closing.abort();
    this.#endPause();
    this.#resolver.close?.();
    for (const client of this.#opening) if (client.isOpen) client.destroy();
  }

  async #follow(isDone: () => boolean): Promise<void> {
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#look();
        failures = 0;
      } catch (error) {
        if (error instanceof PrimaryMoved) continue;
        failures += 1;
        if (!(error instanceof RedisUnavailable)) this.#lastError = error;
        if (this.refusal !== undefined) this.#status.stillLost(this.refusal, this.lastError);
      }
      if (isDone()) return;
      await this.#pause(this.#intervalMs(failures));
    }
  }

  #intervalMs(failures: number): number {
    if (failures > 0) return Math.min(10 * 2 ** failures, checkIntervalMs);
    const link = this.#link;
    const isWell = link?.client.isReady && !link.isReplica && link.silentSince === undefined;
    if (!isWell || link.askedAt < this.#usedAt) return checkIntervalMs;
    return performance.now() - this.#usedAt > idleAfterMs ? idleCheckIntervalMs : checkIntervalMs;
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds).unref();
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #look(): Promise<void> {
    this.#sendHeartbeat();
    // Answers that arrived while this process was busy are read first.
    await setImmediate();
    const address = await this.#find();
    const link = this.#link;
    const fault = link && faultOf(link);
    if (fault) this.#status.lost(fault);
    else if (link) this.#status.back();
    if (address && (link?.name !== nameOf(address) || this.#isGivenUp(link))) await this.#connectTo(address);
  }

  // Both the looks and the attempts to connect ask; a Sentinel is asked one thing at a time.
  #find(): Promise<NodeAddress | undefined> {
    this.#finding ??= this.#resolver.find().finally(() => {
      this.#finding = undefined;
    });
    return this.#finding;
  }

  // HELLO needs no permission, is answered even while Redis loads its data or runs a script, and tells the role.
  #sendHeartbeat(): void {
    const link = this.#link;
    if (!link?.client.isReady || performance.now() - link.askedAt < heartbeatIntervalMs) return;
    link.askedAt = performance.now();
    link.silentSince ??= link.askedAt;
    link.client.hello().then(
      ({ role }) => {
        link.silentSince = undefined;
        link.isReplica = role === 'replica';
      },
      (error: unknown) => {
        this.#lastError = error;
      },
    );
  }

  #isGivenUp(link: Link): boolean {
    if (!link.client.isReady || link.isReplica) return true;
    return silenceMsOf(link) > maxSilenceMs + (this.#resolver.failoverGraceMs ?? 0);
  }

  async #connectTo(address: NodeAddress): Promise<void> {
    const client = await this.#open(address);
    const name = nameOf(address);
    const before = this.#link;
    if (before?.name === name && !faultOf(before)) {
      client.destroy();
      return this.#status.back();
    }
    this.#link = { name, client, askedAt: performance.now(), silentSince: undefined, isReplica: false };
    for (const listener of this.connectListeners) listener();
    if (before) retire(before.client);
    if (before && before.name !== name) this.#log.warn({ primary: name }, 'Redis failed over');
    this.#status.back();
  }

  /** @throws the most telling reason why no address leads to a primary, or why it isn't tried any longer */
  async #open(address: NodeAddress): Promise<NodeClient> {
    const clients: NodeClient[] = [];
    const over = new AbortController();
    let chosen: NodeClient | undefined;
    const first = async () => {
      const candidates = await candidatesFor(address, this.#options);
      over.signal.throwIfAborted();
      this.#closing.signal.throwIfAborted();
      clients.push(...candidates.map((candidate) => this.#newClient(...candidate)));
      return firstPrimary(clients);
    };
    const hasMoved = async () => nameOf((await this.#find()) ?? address) !== nameOf(address);
    try {
      // A silent one would be waited for while its successor is named already.
      const primary = await Promise.race([first(), untilMoved(hasMoved, over.signal)]);
      this.#closing.signal.throwIfAborted();
      chosen = primary;
      return chosen;
    } catch (error) {
      throw reasonOf(error);
    } finally {
      over.abort();
      for (const client of clients) {
        this.#opening.delete(client);
        if (client !== chosen && client.isOpen) client.destroy();
      }
    }
  }

  #newClient(...candidate: [NodeAddress, NodeOptions]): NodeClient {
    const client = newNode(...candidate, once);
    // Without a listener, a lost connection would end the process.
    client.on('error', (error: unknown) => this.#noteError(client, error));
    this.#opening.add(client);
    return client;
  }

  #noteError(client: NodeClient, error: unknown): void {
    this.#lastError = error;
    if (this.#link?.client !== client) return;
    this.#status.lost(error);
    this.#endPause();
  }
}
