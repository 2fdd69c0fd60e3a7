import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../log.ts';
import type { Courier, Delivered } from './delivery.ts';
import { publishQueue } from './figures.ts';
import type { Claim, Job, Lane, Limits, Queue } from './queue.ts';
import { patienceOf, type RetryPolicy, retryDelayMs } from './retry.ts';
import { ServerHealth } from './server-health.ts';

/** What a mail server takes, whichever processes send. */
export type ServerLimits = { connections: number; mailsPerMinute: number };

/** Learns what became of mails. */
export type Recorder = {
  accepted: (job: Job, delivered: Delivered) => Promise<void>;
  failed: (job: Job, delivered: Delivered) => Promise<void>;
  deferred: (job: Job, delivered: Delivered, delayMs: number) => void;
  unavailable: (problem: string, delivered: Delivered) => void;
  available: () => void;
};

type Attempt = { job: Job; startedAt: number };
/** What Redis has to be told about a mail. */
type Settlement =
  | { record: () => Promise<void> /** Redis may know already. */; isRepeat?: true }
  | { delayMs: number | undefined; lane: Lane };

/** While mails are under way: their leases are renewed, and who keeps others waiting is broken off. */
const watchMs = 1000;
/** For what killed processes have left behind, when nothing else happens. */
const sweepMs = 30_000;
const redisRetryMs = 500;
/** Before leases that ran out are taken over, all processes get to renew theirs. */
const afterOutageMs = 2 * watchMs;
const stopMs = 1500;

/**
 * Delivers what is in the queue, together with the dispatchers of other processes. It sleeps until the next mail is
 * due, or until it is woken for a new one.
 */
export class Dispatcher {
  readonly #queue: Queue;
  readonly #courier: Courier;
  readonly #recorder: Recorder;
  readonly #log: Logger;
  readonly #limits: ServerLimits;
  readonly #policy: RetryPolicy;
  readonly #health: ServerHealth;
  readonly #underWay = new Map<string, Attempt>();
  readonly #unsettled = new Map<string, Settlement>();
  #state: 'new' | 'running' | 'stopped' = 'new';
  #isStepping = false;
  #isWoken = false;
  #timer: NodeJS.Timeout | undefined;
  #leased = 0;
  #typicalMs = 0;
  #redisAwaySince: number | undefined;
  #leaseFrom = 0;

  constructor(parts: {
    queue: Queue;
    courier: Courier;
    recorder: Recorder;
    log: Logger;
    limits: ServerLimits;
    policy: RetryPolicy;
  }) {
    this.#queue = parts.queue;
    this.#courier = parts.courier;
    this.#recorder = parts.recorder;
    this.#log = parts.log;
    this.#limits = parts.limits;
    this.#policy = parts.policy;
    this.#health = new ServerHealth(parts.policy, parts.limits.connections);
  }

  start(): void {
    this.#state = 'running';
    this.wake();
  }

  /** Looks for mail at once. */
  wake(): void {
    this.#isWoken = true;
    if (!this.#isStepping && this.#state === 'running') void this.#step();
  }

  /** Sends what can be sent in a moment, and leaves the rest to other processes and to the next start. */
  async stop(): Promise<void> {
    if (this.#state !== 'running') return;
    const startedAt = performance.now();
    const isBusy = () => this.#isStepping || this.#isWoken || this.#underWay.size + this.#unsettled.size > 0;
    while (isBusy() && performance.now() - startedAt < stopMs) {
      await sleep(10);
      if (performance.now() - startedAt < stopMs / 2) continue;
      this.#state = 'stopped';
      for (const id of this.#underWay.keys()) this.#courier.breakOff(id);
      await this.#settleAll().catch(() => {});
    }
    this.#state = 'stopped';
    clearTimeout(this.#timer);
    const left = this.#underWay.size;
    if (left > 0) this.#log.warn({ mails: left }, 'stopped while mail was being sent: it will be sent once more');
  }

  async #step(): Promise<void> {
    this.#isStepping = true;
    this.#isWoken = false;
    clearTimeout(this.#timer);
    let nextMs: number;
    try {
      nextMs = await this.#look();
    } catch (err) {
      nextMs = redisRetryMs;
      if (this.#redisAwaySince === undefined) this.#log.warn({ err }, 'outbox waits for Redis');
      this.#redisAwaySince ??= performance.now();
    }
    this.#isStepping = false;
    if (this.#state !== 'running') {
      this.#isWoken = false;
      return;
    }
    if (this.#isWoken && this.#redisAwaySince === undefined) void this.#step();
    else this.#timer = setTimeout(() => void this.#step(), nextMs).unref();
  }

  /** @returns when to look again */
  async #look(): Promise<number> {
    await this.#settleAll();
    // Read before the limits: a pause that ends in the meantime must not be slept through.
    const pausesMs = [this.#health.pausedMs, this.#health.ordinaryPausedMs, this.#leaseFrom - performance.now()];
    const claim = await this.#queue.claim([...this.#underWay.keys()], this.#limitsNow());
    if (this.#redisAwaySince !== undefined) {
      const isLong = performance.now() - this.#redisAwaySince > afterOutageMs;
      this.#redisAwaySince = undefined;
      if (isLong) this.#leaseFrom = performance.now() + afterOutageMs;
      this.#log.info('outbox goes on');
    }
    this.#leased = claim.leased;
    publishQueue(claim.queued, claim.oldestMs);
    for (const job of claim.jobs) {
      if (this.#state === 'running') void this.#attempt(job);
      else this.#unsettled.set(job.id, { delayMs: undefined, lane: job.lane });
    }
    this.#breakOffSlow(claim);
    const waitsMs = [
      claim.nextMs ?? sweepMs,
      this.#underWay.size > 0 ? watchMs : sweepMs,
      ...pausesMs.filter((ms) => ms > 0),
    ];
    return Math.max(1, Math.min(...waitsMs));
  }

  #limitsNow(): Limits | undefined {
    if (performance.now() < this.#leaseFrom) return undefined;
    const connections = this.#health.pausedMs > 0 ? 0 : this.#health.connections;
    return {
      connections,
      // One connection is kept free of what strangers can cause.
      ordinaryConnections: this.#health.ordinaryPausedMs > 0 ? 0 : Math.max(1, connections - 1),
      connectionsPerDomain: Math.max(1, Math.floor(connections / 2)),
      mailsPerMinute: this.#limits.mailsPerMinute,
    };
  }

  #breakOffSlow({ isWaiting }: Claim): void {
    for (const [id, { job, startedAt }] of this.#underWay) {
      const patienceMs = Math.max(patienceOf(job.lane, isWaiting), 3 * this.#typicalMs);
      if (performance.now() - startedAt > patienceMs) this.#courier.breakOff(id);
    }
  }

  async #attempt(job: Job): Promise<void> {
    const { id, lane, sealed, leftMs } = job;
    if (this.#underWay.has(id) || this.#unsettled.has(id)) return;
    const startedAt = performance.now();
    this.#underWay.set(id, { job, startedAt });
    const hasLapsed = leftMs <= 0;
    const delivered = await this.#courier.deliver({ id, sealed, isWithheld: lane === 'withheld', hasLapsed });
    this.#underWay.delete(id);
    const tookMs = performance.now() - startedAt;
    this.#unsettled.set(id, this.#judge({ ...job, ageMs: job.ageMs + tookMs }, delivered, tookMs));
    this.#settle(id).then(
      () => this.wake(),
      () => this.wake(),
    );
  }

  #judge(job: Job, delivered: Delivered, tookMs: number): Settlement {
    const { lane, domain, leftMs } = job;
    if (lane === 'withheld') return { record: async () => {} };
    if (leftMs <= 0) return { record: () => this.#recorder.failed(job, delivered) };
    switch (delivered.outcome) {
      case 'accepted':
        this.#typicalMs = this.#typicalMs * 0.8 + tookMs * 0.2;
        this.#health.noteAccepted();
        this.#recorder.available();
        return { record: () => this.#recorder.accepted(job, delivered) };
      case 'refused':
        return { record: () => this.#recorder.failed(job, delivered) };
      case 'crowded':
      case 'unavailable':
        if (delivered.outcome === 'crowded') this.#health.noteCrowded(this.#others());
        else this.#health.noteUnavailable();
        if (this.#health.pausedMs > 0) this.#recorder.unavailable(delivered.problem, delivered);
        return { delayMs: undefined, lane };
      case 'slow':
        if (this.#state === 'stopped') return { delayMs: undefined, lane };
        return this.#defer(job, delivered, 'slow');
      case 'deferred':
        this.#health.noteDeferred(domain);
        return this.#defer(job, delivered, lane);
      case 'unreadable':
        // Another process may have the secret.
        return this.#defer(job, delivered, lane);
    }
  }

  #defer(job: Job, delivered: Delivered, lane: Lane): Settlement {
    const delayMs = retryDelayMs(this.#policy, job.deferredMs);
    this.#recorder.deferred(job, delivered, delayMs);
    return { delayMs, lane };
  }

  #others(): number {
    const local = [...this.#underWay.values()].filter(({ job }) => job.lane !== 'withheld').length;
    return Math.max(local, this.#leased - 1);
  }

  async #settleAll(): Promise<void> {
    for (const id of [...this.#unsettled.keys()]) await this.#settle(id);
  }

  async #settle(id: string): Promise<void> {
    const settlement = this.#unsettled.get(id);
    if (!settlement) return;
    if ('record' in settlement) {
      const isRepeat = settlement.isRepeat === true;
      settlement.isRepeat = true;
      const wasThere = await this.#queue.finish(id);
      // Where it was not, another process has delivered it too.
      if (this.#unsettled.delete(id) && (wasThere || isRepeat)) await settlement.record();
    } else {
      await this.#queue.defer(id, settlement.delayMs, settlement.lane);
      this.#unsettled.delete(id);
    }
  }
}
