import { randomBytes, randomUUID } from 'node:crypto';
import type { Logger } from '../../log.ts';
import type { RedisClient } from '../../redis/client.ts';
import { personEvents } from '../../shared/person-events.ts';
import {
  type Courier,
  type Delivered,
  type Envelope,
  errorWithoutMessage,
  type Mail,
  needsSmtpUtf8Text,
} from './delivery.ts';
import { Dispatcher, type Recorder } from './dispatcher.ts';
import { publishAvailable, publishDeferred, publishFailed, publishSent, publishZeros } from './figures.ts';
import { type Job, Queue } from './queue.ts';
import { defaultRetryPolicy, type RetryPolicy } from './retry.ts';
import { domainTag, type SealKeys, seal } from './seal.ts';
import { SendDelay } from './send-delay.ts';
import type { ServerLimits } from './server-health.ts';

const recheckMs = 30_000;

type Context = Record<string, string>;

/** How a mail is delivered, and what its sender needs to know about it later. */
type Delivery<Context> = {
  /**
   * `high` for notices, and for codes that were requested in a browser in which the address has signed in before. It
   * never waits for mail of `normal` priority, which strangers can cause.
   */
  priority: 'high' | 'normal';
  /** After this time the mail is of no use, and is given up. */
  ttlSeconds: number;
  /** Logged with every outcome: never an address or a code. */
  about: Record<string, string>;
  /** Passed to the handlers. It is stored with the mail, since another process may deliver it. */
  context: Context;
  /**
   * Stores a mail that is never sent, with the same Redis commands and the same work, so that response times don't
   * tell whether an address gets mail (ASVS 6.3.8). Its handlers are not called.
   */
  withheld?: boolean;
};

/** Called after delivery, in whichever process delivers. Each is called at most once per mail. */
type MailHandlers<Context> = {
  /** The mail server has accepted the mail. */
  onAccepted?: (context: Context) => Promise<void>;
  /** The mail was refused for good, or could not be delivered in time. */
  onFailed?: (context: Context) => Promise<void>;
};

/** Queues mail of one kind. */
type MailQueue<Context> = {
  /**
   * Stores a mail. Once this resolves, the mail will be delivered, even if this process is killed.
   * @throws {RedisUnavailable} when it may not be stored, so the visitor must not be told that it was sent
   */
  enqueue: (mail: Mail, delivery: Delivery<Context>) => Promise<void>;
};

/** Where features queue their mail. */
export type Outbox = {
  /**
   * Registers a kind of mail. Call it once per kind, before the outbox starts.
   * @param kind labels logs and metrics, such as `code`
   */
  register: <Own extends Context>(kind: string, handlers?: MailHandlers<Own>) => MailQueue<Own>;
};

type OutboxParts = {
  redis: RedisClient;
  keys: SealKeys;
  log: Logger;
  courier: Courier;
  limits: ServerLimits;
  policy?: RetryPolicy;
  /** Longest random delay of normal mail and of withheld mail, in milliseconds; see {@link SendDelay}. */
  maxDelayMs: number;
};

/**
 * Stores mail in Redis, encrypted, until the mail server has accepted it. Any process delivers it: once, and a second
 * time only if a process or a connection is lost after the server has accepted it and before that is recorded.
 */
export class RedisOutbox implements Outbox {
  readonly #queue: Queue;
  readonly #keys: SealKeys;
  readonly #log: Logger;
  readonly #courier: Courier;
  readonly #dispatcher: Dispatcher;
  readonly #handlers = new Map<string, MailHandlers<Context>>();
  readonly #sendDelay: SendDelay;
  #isAvailable = true;
  #isStopped = false;
  #recheck: NodeJS.Timeout | undefined;

  constructor({ redis, keys, log, courier, limits, policy = defaultRetryPolicy, maxDelayMs }: OutboxParts) {
    this.#sendDelay = new SendDelay(maxDelayMs);
    this.#queue = new Queue(redis, randomBytes(9).toString('base64url'));
    this.#keys = keys;
    this.#log = log;
    this.#courier = courier;
    const recorder = this.#recorder();
    this.#dispatcher = new Dispatcher({ queue: this.#queue, courier, recorder, log, limits, policy });
  }

  register<Own extends Context>(kind: string, handlers: MailHandlers<Own> = {}): MailQueue<Own> {
    // What comes back to the handlers of a kind is what was queued under it.
    this.#handlers.set(kind, handlers as MailHandlers<Context>);
    return { enqueue: (mail, delivery) => this.#enqueue(kind, mail, delivery) };
  }

  /** Starts to deliver, if any kind of mail is registered. It does not wait for the mail server. */
  start(): void {
    if (this.#handlers.size === 0) return;
    publishZeros([...this.#handlers.keys()]);
    this.#dispatcher.start();
    void this.#check();
    this.#recheck = setInterval(() => {
      // Without mail, nothing else would notice that the server is back. While mail waits, its attempts do: they also
      // find what no check does, such as a sender that is rejected.
      if (!this.#isAvailable && this.#dispatcher.isIdle) void this.#check();
    }, recheckMs).unref();
  }

  async #check(): Promise<void> {
    try {
      const problem = await this.#courier.check();
      if (this.#isStopped) return;
      if (problem !== undefined) return this.#reportUnavailable(problem, {});
      this.#log.info('mail server is ready');
      this.#isAvailable = true;
      publishAvailable(true);
    } catch (error) {
      // The thread ends with the outbox, as when the start fails, and nothing is wrong with the mail server then.
      if (!this.#isStopped) this.#log.error({ error: errorWithoutMessage(error) }, 'check of the mail server failed');
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#recheck);
    await this.#dispatcher.stop();
    this.#isStopped = true;
    await this.#courier.close();
  }

  async #enqueue(kind: string, mail: Mail, delivery: Delivery<Context>): Promise<void> {
    const { priority, ttlSeconds, about, context, withheld = false } = delivery;
    const envelope: Envelope = { mail, kind, about, context };
    const id = randomUUID();
    const lane = withheld ? 'withheld' : priority;
    const domain = domainTag(this.#keys, mail.to);
    const sealed = seal(this.#keys, id, JSON.stringify(envelope));
    const store = (delayMs: number) => this.#queue.enqueue({ id, lane, domain, sealed, ttlSeconds, delayMs });
    if (lane === 'high') {
      await store(0);
      return this.#wake();
    }
    const delayMs = await this.#sendDelay.store(mail.to, store);
    if (delayMs === 0) this.#wake();
    else setTimeout(() => this.#wake(), delayMs).unref();
  }

  // The courier prepares for withheld mail as well. This is not left to the attempt: in an outage of the mail server,
  // only withheld mail is attempted at once, and the work must not depend on whether an address gets mail (ASVS 6.3.8).
  #wake(): void {
    try {
      if (!this.#isStopped) this.#courier.prepare?.();
    } catch {
      // The thread could not be started, for example for lack of memory. The attempt then fails in the same way, and
      // defers the mail.
    }
    this.#dispatcher.wake();
  }

  #recorder(): Recorder {
    return {
      accepted: async ({ ageMs, lane }, { envelope, reply }) => {
        if (!envelope) return;
        if (lane === 'withheld') return this.#tell(envelope, '', { isDecoy: true });
        publishSent(envelope.kind, ageMs);
        this.#log.info({ ...logFieldsOf(envelope), ...reply, seconds: inSeconds(ageMs) }, 'mail sent');
        // The mail catcher gives no reply.
        const told = reply.queueId ? `, queue id ${reply.queueId}` : reply.reply ? `, reply ${reply.reply}` : '';
        this.#tell(envelope, `mail delivered: ${envelope.kind}${told}`);
        await this.#call('onAccepted', envelope);
      },
      failed: async (job, delivered) => {
        const { envelope, reply, outcome } = delivered;
        const reason = outcome === 'refused' ? 'refused' : 'lapsed';
        const about = { ...(envelope && logFieldsOf(envelope)), ...reply, reason: explainFailure(job, delivered) };
        publishFailed(envelope?.kind ?? 'unknown', reason);
        if (reason === 'refused') this.#log.warn(about, 'mail not sent');
        else this.#log.error(about, 'mail not sent');
        if (!envelope) return;
        this.#tell(envelope, `mail not delivered: ${envelope.kind}, ${about.reason}`);
        await this.#call('onFailed', envelope);
      },
      deferred: ({ envelope, reply, outcome }, delayMs) => {
        publishDeferred(envelope?.kind ?? 'unknown');
        const about = { ...(envelope && logFieldsOf(envelope)), ...reply, outcome, retryInSeconds: inSeconds(delayMs) };
        this.#log.info(about, 'mail deferred');
        if (envelope) this.#tell(envelope, `mail deferred: ${envelope.kind}, ${reply.reply ?? reply.code ?? outcome}`);
      },
      unavailable: (problem, { reply }) => this.#reportUnavailable(problem, reply),
      available: () => {
        if (!this.#isAvailable) this.#log.info('mail is being sent again');
        this.#isAvailable = true;
        publishAvailable(true);
      },
    };
  }

  #reportUnavailable(problem: string, reply: Delivered['reply']): void {
    if (this.#isAvailable) this.#log.error({ problem, ...reply }, 'mail cannot be sent');
    this.#isAvailable = false;
    publishAvailable(false);
  }

  #tell({ about }: Omit<Envelope, 'mail'>, what: string, options: { isDecoy?: boolean } = {}): void {
    const { person, id: request = '' } = about;
    if (person !== undefined) personEvents.publish({ log: this.#log, person, request, what, ...options });
  }

  async #call(handler: keyof MailHandlers<Context>, { kind, about, context }: Omit<Envelope, 'mail'>): Promise<void> {
    try {
      await this.#handlers.get(kind)?.[handler]?.(context);
    } catch (err) {
      this.#log.error({ ...about, mail: kind, err }, 'mail handler failed');
    }
  }
}

function logFieldsOf({ kind, about }: Omit<Envelope, 'mail'>): Record<string, string> {
  return { ...about, mail: kind };
}

function explainFailure({ leftMs }: Job, { outcome, reply }: Delivered): string {
  if (outcome === 'unreadable')
    return 'no secret in SESSION_SECRET decrypts it: keep old secrets until queued mail is sent';
  if (outcome === 'refused' && reply.code === 'ESMTPUTF8') return needsSmtpUtf8Text; // Else MAIL_FROM needs it.
  if (outcome === 'refused') return 'the mail server refused the mail or its recipient';
  return leftMs <= 0 ? 'it could not be delivered in time' : outcome;
}

function inSeconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1000;
}
