import type { Logger } from '../../log.ts';
import type { Mail, Mailer } from './mailer.ts';

/** How a mail is delivered, and what its sender wants to remember about it. */
type Delivery<Context> = {
  /**
   * `high` for notices, and for codes that a browser asked for in which the address has signed in before. Mail of
   * `normal` priority, which strangers can cause any amount of, never holds it up.
   */
  priority: 'high' | 'normal';
  /** How long the mail is worth delivering; after that it is given up. */
  ttlSeconds: number;
  /** Logged with every outcome: never an address or a code. */
  about: Record<string, string>;
  /** Passed to the handlers. It is stored with the mail, since another process may deliver it. */
  context: Context;
  /**
   * Stores a mail that is never sent, at the same cost and with the same Redis commands, so that no response time
   * tells whether an address gets mail (ASVS 6.3.8). Its handlers are not called.
   */
  withheld?: boolean;
};

/** What happens after delivery, in whichever process delivers. Each is called at most once per mail. */
type MailHandlers<Context> = {
  /** The mail server has accepted the mail. */
  onAccepted?: (context: Context) => Promise<void>;
  /** The mail was refused for good, or could not be delivered in time. */
  onFailed?: (context: Context) => Promise<void>;
};

/** Queues mail of one kind. */
type MailQueue<Context> = {
  /**
   * Stores a mail: once this resolves, it will be delivered, whatever becomes of this process.
   * @throws {RedisUnavailable} when it could not be stored, and nothing may be promised
   */
  enqueue: (mail: Mail, delivery: Delivery<Context>) => Promise<void>;
};

export type Outbox = {
  /**
   * Registers a kind of mail; once per kind, while the app is put together.
   * @param kind goes to the log and to the metrics, such as `code`
   */
  register: <Context extends Record<string, string>>(
    kind: string,
    handlers?: MailHandlers<Context>,
  ) => MailQueue<Context>;
};

/** An outbox in memory. */
export function memoryOutbox(mailer: Mailer, log: Logger): Outbox {
  return {
    register: (kind, handlers = {}) => ({
      async enqueue(mail, { about, context, withheld }) {
        if (withheld) return;
        void mailer
          .send(mail, { ...about, mail: kind })
          .then((sent) => (sent ? handlers.onAccepted?.(context) : handlers.onFailed?.(context)))
          .catch((err: unknown) => log.error({ ...about, mail: kind, err }, 'mail handler failed'));
      },
    }),
  };
}
