import { destination } from 'pino';
import { afterEach } from 'vitest';
import { openRedis } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import type { Courier, Delivered, Sealed } from '../../src/features/mail/delivery.ts';
import { RedisOutbox } from '../../src/features/mail/outbox.ts';
import { defaultRetryPolicy, type RetryPolicy } from '../../src/features/mail/retry.ts';
import type { SealKeys } from '../../src/features/mail/seal.ts';
import type { ServerLimits } from '../../src/features/mail/server-health.ts';
import { createLogger } from '../../src/log.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { afterwards } from '../support/afterwards.ts';
import { connectNode, readerOf, targetOf } from '../support/app.ts';
import { newLogFile } from '../support/secrets.ts';
import { testRedis } from '../support/test-redis.ts';
import { mail, newSmtpClient, testKeys } from './courier.ts';
import { startMailServer } from './mail-server.ts';

type Rig = ReturnType<typeof newOutbox>;

type Options = {
  redis: RedisClient;
  courier: Courier;
  keys?: SealKeys;
  limits?: Partial<ServerLimits>;
  policy?: Partial<RetryPolicy>;
  maxDelayMs?: number;
};

export const soon = { timeout: 8000, interval: 5 };

/** A Redis and a mail server for a file's outboxes. After each test its outboxes are stopped, and what it stored is removed. */
export async function useOutboxes() {
  const address = await testRedis();
  const { client: redis } = await openRedis(targetOf(address), { config: readConfig({}), log: createLogger('silent') });
  const node = await connectNode(address);
  const server = await startMailServer();
  const rigs: Rig[] = [];

  /** An outbox with a mail server, running. */
  function start(options: Partial<Options> = {}): Rig {
    const rig = newOutbox({ redis, courier: newSmtpClient({ port: server.port }), ...options });
    rigs.push(rig);
    rig.outbox.start();
    return rig;
  }

  afterEach(async () => {
    for (const { outbox } of rigs.splice(0)) await outbox.stop();
    await node.flushAll();
    server.failure = undefined;
    server.inbox.length = 0;
    server.seen.length = 0;
  });

  return { redis, node, server, start };
}

/** A courier with scripted results, for what no mail server can be made to do. */
export function scripted(deliver: (sealed: Sealed) => Promise<Delivered>): Courier {
  return { deliver, breakOff: () => {}, check: async () => undefined, close: async () => {} };
}

export const neverAnswers = () => scripted(() => new Promise(() => {}));

export const quickPolicy = { minDelayMs: 30, maxDelayMs: 60, minPauseMs: 30, maxPauseMs: 60 };

/** The outbox of a process, with a kind of mail whose outcomes are recorded; stopped after the file's last test. */
export function newOutbox({ redis, courier, keys = testKeys, limits, policy = quickPolicy, maxDelayMs = 0 }: Options) {
  const { log, lines, logged } = newLog();
  const outbox = new RedisOutbox({
    ...{ redis, keys, log, courier },
    limits: { connections: 2, mailsPerMinute: 60_000, ...limits },
    policy: { ...defaultRetryPolicy, ...policy },
    maxDelayMs,
  });
  const accepted: string[] = [];
  const failed: string[] = [];
  const codes = outbox.register<{ number: string }>('code', {
    onAccepted: async ({ number }) => void accepted.push(number),
    onFailed: async ({ number }) => void failed.push(number),
  });
  afterwards(() => outbox.stop());
  let count = 0;

  type Changes = { to?: string; priority?: 'high' | 'normal'; ttlSeconds?: number; withheld?: boolean };
  async function enqueue({ to = mail.to, priority = 'normal', ttlSeconds = 600, withheld = false }: Changes = {}) {
    count += 1;
    const delivery = { priority, ttlSeconds, withheld, about: { id: `r${count}` }, context: { number: `${count}` } };
    await codes.enqueue({ ...mail, to }, delivery);
  }

  return { outbox, accepted, failed, enqueue, lines, logged };
}

/** A log, and its lines so far: all, or those with a message. */
export function newLog() {
  const file = newLogFile('outbox');
  const log = createLogger('debug', destination({ dest: file, sync: true }));
  const lines = readerOf(file);
  const logged = (message: string) => lines().filter(({ msg }) => msg === message);
  return { log, lines, logged };
}
