import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../log.ts';
import { AttemptTimeLimit } from './attempt-time-limit.ts';
import { type Courier, type Delivered, errorWithoutMessage, type Sealed } from './delivery.ts';
import { publishQueue } from './figures.ts';
import type { Claim, Job, Lane, Queue } from './queue.ts';
import { type RetryPolicy, retryDelayMs } from './retry.ts';
import { ServerHealth, type ServerLimits, showsAvailable } from './server-health.ts';
import { UnreadableMails, unreadableDelayMs } from './unreadable-mails.ts';

/** Is told the outcomes. */
export type Recorder = {
  accepted: (job: Job, delivered: Delivered) => Promise<void>;
  failed: (job: Job, delivered: Delivered) => Promise<void>;
  deferred: (delivered: Delivered, delayMs: number) => void;
  unavailable: (problem: string, delivered: Delivered) => void;
  available: () => void;
};

type Attempt = { job: Job; startedAt: number };
/** What has to be changed in Redis after an attempt. */
type Settlement =
  | { record: () => Promise<void> /** The change may have been made already. */; isRepeat?: true }
  | { delayMs: number | undefined; lane: Lane };

/** While any process delivers mail: to renew leases, and to see whether other processes have mail waiting. */
const watchMs = 500;
/** Otherwise: to take over what killed processes have left behind. */
const sweepMs = 30_000;
const redisRetryMs = 500;
/** After an outage of Redis, all processes have this long to renew their leases before expired ones are taken over. */
const afterOutageMs = 2000;
const stopMs = 1500;

/**
 * Delivers the mail in the queue, together with the dispatchers of other processes. It sleeps until the next mail is
 * due, or until it is woken for a new one.
 */
export class Dispatcher {
  readonly #queue: Queue;
  readonly #courier: Courier;
  readonly #recorder: Recorder;
  readonly #log: Logger;
  readonly #policy: RetryPolicy;
  readonly #health: ServerHealth;
  readonly #timeLimit = new AttemptTimeLimit();
  readonly #unreadable = new UnreadableMails();
  readonly #underWay = new Map<string, Attempt>();
  readonly #unsettled = new Map<string, Settlement>();
  #state: 'new' | 'running' | 'stopped' = 'new';
  #isStepping = false;
  #isWoken = false;
  /** Whether no process had mail to deliver when this one last looked. */
  isIdle = false;
  #timer: NodeJS.Timeout | undefined;
  #leased = 0;
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
    this.#policy = parts.policy;
    this.#health = new ServerHealth(parts.policy, parts.limits);
  }

  start(): void {
    this.#state = 'running';
    this.wake();
  }

  /** Checks the queue at once. */
  wake(): void {
    this.#isWoken = true;
    if (!this.#isStepping && this.#state === 'running') void this.#step();
  }

  /** Sends what can be sent within 1.5 s, and leaves the rest to other processes and to the next start. */
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
    const mails = this.#underWay.size;
    if (mails > 0) this.#log.warn({ mails }, 'stopped while mail was being sent; it will be sent again');
  }

  async #step(): Promise<void> {
    this.#isStepping = true;
    const isSweep = this.isIdle && !this.#isWoken && this.#redisAwaySince === undefined;
    this.#isWoken = false;
    clearTimeout(this.#timer);
    let nextMs: number;
    try {
      nextMs = isSweep && (await this.#queue.isEmpty()) ? sweepMs : await this.#checkQueue();
    } catch (err) {
      nextMs = redisRetryMs;
      if (this.#redisAwaySince === undefined) this.#log.warn({ err }, 'outbox is waiting for Redis');
      this.#redisAwaySince ??= performance.now();
    }
    this.#isStepping = false;
    if (this.#state !== 'running') this.#isWoken = false;
    else if (this.#isWoken && this.#redisAwaySince === undefined) void this.#step();
    else this.#timer = setTimeout(() => void this.#step(), nextMs).unref();
  }

  /** @returns milliseconds until the next check */
  async #checkQueue(): Promise<number> {
    await this.#settleAll();
    // Read before the limits: a pause may end in between, and must not be slept through.
    const pausesMs = [this.#health.pausedMs, this.#health.ordinaryPausedMs, this.#leaseFrom - performance.now()];
    const limits = performance.now() < this.#leaseFrom ? undefined : this.#health.limits;
    const inProgress = [...this.#underWay.keys(), ...this.#unsettled.keys()];
    const claim = await this.#queue.claim(inProgress, limits, this.#unreadable.ids());
    if (this.#redisAwaySince !== undefined) {
      const isLong = performance.now() - this.#redisAwaySince > afterOutageMs;
      this.#redisAwaySince = undefined;
      if (isLong) this.#leaseFrom = performance.now() + afterOutageMs;
      this.#log.info('outbox continues');
    }
    this.#leased = claim.leased;
    // Decoys are not in `queued`, but have a next check (ASVS 6.3.8). Without limits, nothing was looked for.
    this.isIdle = limits !== undefined && claim.queued === 0 && claim.nextMs === undefined;
    publishQueue(claim.queued, claim.oldestMs);
    for (const job of claim.jobs) {
      if (this.#state === 'running') void this.#attempt(job);
      else this.#unsettled.set(job.id, { delayMs: undefined, lane: job.lane });
    }
    const waitsMs = [
      this.#breakOffSlow(claim),
      claim.nextMs ?? sweepMs,
      this.#underWay.size + claim.leased > 0 ? watchMs : sweepMs,
      this.#unreadable.nextMs(),
      ...pausesMs.filter((ms) => ms > 0),
    ];
    return Math.max(1, Math.min(...waitsMs));
  }

  /** @returns when the next attempt is to be broken off, in milliseconds */
  #breakOffSlow({ isWaiting }: Claim): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [id, { job, startedAt }] of this.#underWay) {
      const remainingMs = this.#timeLimit.remainingMs(id, job.lane, isWaiting, performance.now() - startedAt);
      if (remainingMs <= 0) this.#courier.breakOff(id);
      else nextMs = Math.min(nextMs, remainingMs);
    }
    return nextMs;
  }

  async #attempt(job: Job): Promise<void> {
    const { id, lane, sealed, leftMs } = job;
    if (this.#underWay.has(id) || this.#unsettled.has(id)) return;
    const startedAt = performance.now();
    this.#underWay.set(id, { job, startedAt });
    const delivered = await this.#deliver({ id, sealed, isWithheld: lane === 'withheld', hasLapsed: leftMs <= 0 });
    this.#underWay.delete(id);
    this.#timeLimit.noteEnded(id);
    const tookMs = performance.now() - startedAt;
    this.#unsettled.set(id, this.#judge({ ...job, ageMs: job.ageMs + tookMs }, delivered, tookMs));
    const wake = () => this.wake();
    this.#settle(id).then(wake, wake);
  }

  async #deliver(mail: Sealed): Promise<Delivered> {
    try {
      return await this.#courier.deliver(mail);
    } catch (error) {
      const { code = 'EINTERNAL' } = error as { code?: string };
      this.#log.error({ messageId: mail.id, error: errorWithoutMessage(error) }, 'attempt to deliver a mail failed');
      return { outcome: 'deferred', reply: { code } };
    }
  }

  #judge(job: Job, delivered: Delivered, tookMs: number): Settlement {
    const { lane, domain, leftMs } = job;
    if (lane === 'withheld') return { record: () => this.#recorder.accepted(job, delivered) };
    if (showsAvailable(delivered)) this.#recorder.available();
    if (leftMs <= 0 || delivered.outcome === 'refused') return { record: () => this.#recorder.failed(job, delivered) };
    switch (delivered.outcome) {
      case 'accepted':
        this.#timeLimit.noteAccepted(tookMs);
        this.#health.noteAccepted();
        return { record: () => this.#recorder.accepted(job, delivered) };
      case 'crowded':
      case 'unavailable':
        if (delivered.outcome === 'crowded') this.#health.noteCrowded(this.#others());
        else this.#health.noteUnavailable();
        if (this.#health.pausedMs > 0) this.#recorder.unavailable(delivered.problem, delivered);
        return { delayMs: undefined, lane };
      case 'slow':
        if (this.#state === 'stopped') return { delayMs: undefined, lane };
        this.#timeLimit.noteSlow();
        return this.#defer(job, delivered, 'slow');
      case 'deferred':
        this.#health.noteDeferred(domain, delivered.reply);
        return this.#defer(job, delivered, lane);
      case 'unreadable':
        this.#unreadable.avoid(job.id, retryDelayMs(this.#policy, job));
        return this.#defer(job, delivered, lane, unreadableDelayMs);
    }
  }

  #defer(job: Job, delivered: Delivered, lane: Lane, delayMs = retryDelayMs(this.#policy, job)): Settlement {
    this.#recorder.deferred(delivered, delayMs);
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
      // If it was not, another process has delivered it as well.
      if (this.#unsettled.delete(id) && (wasThere || isRepeat)) await settlement.record();
    } else {
      await this.#queue.defer(id, settlement.delayMs, settlement.lane);
      this.#unsettled.delete(id);
    }
  }
}
