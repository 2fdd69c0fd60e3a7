import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline, withTimeout } from '../../redis/deadline.ts';
import type {} from '../../shared/redis-client.ts';
import { claimScript, deferScript, enqueueScript, finishScript } from './queue-scripts.ts';

/**
 * Which mail goes first. `slow` is for mail whose recipients have kept other mail waiting; `withheld` for decoys, which
 * need no connection.
 */
export type Lane = 'high' | 'normal' | 'slow' | 'withheld';

export type QueuedMail = {
  id: string;
  lane: Lane;
  domain: string;
  sealed: string;
  ttlSeconds: number;
  /** Until it is due. */
  delayMs: number;
};

/** A mail leased to this process. */
export type Job = {
  id: string;
  lane: Lane;
  /** A pseudonym. */
  domain: string;
  sealed: string;
  /** Since it was requested. */
  ageMs: number;
  /** Since a server first deferred it; 0 if none has. */
  deferredMs: number;
  /** Until it is given up. */
  leftMs: number;
};

/** How much may be leased, by all processes together. */
export type Limits = {
  connections: number;
  /** For lanes other than `high`. */
  ordinaryConnections: number;
  connectionsPerDomain: number;
  mailsPerMinute: number;
};

export type Claim = {
  jobs: Job[];
  /** Lanes in which mail that is due waits for a connection. */
  isWaiting: { high: boolean; normal: boolean };
  /** When to check again; undefined if there is nothing to wait for. */
  nextMs: number | undefined;
  /** Mails that all processes together are delivering. */
  leased: number;
  queued: number;
  oldestMs: number;
};

/** Leases are renewed while mail is being delivered, so this is how long the mail of a killed process waits. */
const leaseMs = 10_000;
/** An expired mail is kept this long, for a process to handle its failure. */
const graceMs = 600_000;
const base = '{outbox}';

/**
 * The undelivered mail of all processes. Each step is one script and one round trip. BullMQ does more, but needs
 * ioredis, and has neither limits across lanes nor fair shares of connections.
 */
export class Queue {
  readonly #redis: RedisClient;
  readonly #owner: string;

  /** @param owner identifies this process among those that share the queue */
  constructor(redis: RedisClient, owner: string) {
    this.#redis = redis;
    this.#owner = owner;
  }

  /**
   * Stores a mail.
   * @throws {RedisUnavailable}
   */
  async enqueue({ id, lane, domain, sealed, ttlSeconds, delayMs }: QueuedMail): Promise<void> {
    const set = lane === 'withheld' ? 'withheld' : 'waiting';
    const args = [id, lane, domain, sealed, ttlSeconds * 1000, graceMs, set, delayMs];
    await withDeadline(deadlineMs, this.#eval(enqueueScript, args));
  }

  /**
   * Leases mails that are due, and renews leases.
   * @param inProgress the ids of mails that this process is delivering, or whose outcome it has yet to record; its other
   * leases are from a claim whose reply was lost, and start anew
   * @param limits undefined to renew leases only
   * @param avoided the ids of mails that are left to other processes
   * @throws {RedisUnavailable}
   */
  async claim(inProgress: string[], limits: Limits | undefined, avoided: string[]): Promise<Claim> {
    const { connections, ordinaryConnections, connectionsPerDomain, mailsPerMinute } = limits ?? noLimits;
    const intervalMs = mailsPerMinute === Number.POSITIVE_INFINITY ? 0 : 60_000 / mailsPerMinute;
    const own = [connections, ordinaryConnections, connectionsPerDomain, intervalMs, limits ? 1 : 0, avoided.join(' ')];
    const reply = await this.#run(claimScript, [this.#owner, leaseMs, ...own, ...inProgress]);
    const [jobs, high, normal, nextMs, leased, queued, oldestMs] = reply as ClaimReply;
    return {
      jobs: jobs.map(([id, lane, domain, sealed, ageMs, deferredMs, leftMs]) => {
        return { id, lane, domain, sealed, ageMs, deferredMs, leftMs };
      }),
      isWaiting: { high: high === 1, normal: normal === 1 },
      nextMs: nextMs < 0 ? undefined : nextMs,
      ...{ leased, queued, oldestMs },
    };
  }

  /**
   * Whether no process has mail to deliver. Costs less than a claim.
   * @throws {RedisUnavailable}
   */
  async isEmpty(): Promise<boolean> {
    const keys = ['waiting', 'withheld', 'leases'].map((name) => `${base}:${name}`);
    return (await withTimeout(deadlineMs, this.#redis.exists(keys))) === 0;
  }

  /**
   * Removes a mail that was delivered, or given up.
   * @returns whether it was still there
   * @throws {RedisUnavailable}
   */
  async finish(id: string): Promise<boolean> {
    return (await this.#run(finishScript, [id])) === 1;
  }

  /**
   * Puts a mail back.
   * @param delayMs until its next attempt; undefined: at its old position
   * @throws {RedisUnavailable}
   */
  async defer(id: string, delayMs: number | undefined, lane: Lane): Promise<void> {
    await this.#run(deferScript, [id, this.#owner, Math.round(delayMs ?? -1), lane]);
  }

  // Not `withDeadline`: this is not part of a request, so the metrics of requests don't count it.
  #run(script: string, args: (string | number)[]): Promise<unknown> {
    return withTimeout(deadlineMs, this.#eval(script, args));
  }

  #eval(script: string, args: (string | number)[]): Promise<unknown> {
    return this.#redis.eval(script, { keys: [base], arguments: args.map(String) });
  }
}

const noLimits: Limits = {
  connections: 0,
  ordinaryConnections: 0,
  connectionsPerDomain: 0,
  mailsPerMinute: Number.POSITIVE_INFINITY,
};

type ClaimReply = [
  jobs: [string, Lane, string, string, number, number, number][],
  high: number,
  normal: number,
  nextMs: number,
  leased: number,
  queued: number,
  oldestMs: number,
];
