import { createClient } from 'redis';
import type { Logger } from './log.ts';

/** Where Redis listens: a URL, or the unix socket of a private one. */
export type RedisAddress = { url: string } | { socketPath: string };

/** Longest wait for a Redis answer in a request. Redis answers in well under a millisecond when it is well. */
export const deadlineMs = 1000;
const connectDeadlineMs = 2500;
const reconnectDelayMs = { first: 20, longest: 500 };

export type RedisClient = ReturnType<typeof newClient>;

/** Redis did not answer in time, refused, or is not there; `cause` is its own error. */
export class RedisUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RedisUnavailable';
  }
}

/**
 * Connects, and stays connected: a lost Redis is logged once, and so is its return.
 * @throws {RedisUnavailable} when there is no answer within 2.5 s
 */
export async function connectRedis(address: RedisAddress, log: Logger): Promise<RedisClient> {
  const client = newClient(address);
  let lost = true;
  let lastError: unknown;
  // Without a listener for `error`, node-redis lets a lost connection end the process.
  client.on('error', (error: unknown) => {
    lastError = error;
    if (lost) return;
    lost = true;
    log.error({ err: error }, 'Redis lost');
  });
  client.on('ready', () => {
    if (lost && lastError !== undefined) log.info('Redis back');
    lost = false;
    lastError = undefined;
  });
  try {
    await within(connectDeadlineMs, client.connect());
    return client;
  } catch (error) {
    client.destroy();
    throw new RedisUnavailable('Redis did not answer within 2.5 s', { cause: lastError ?? error });
  }
}

function newClient(address: RedisAddress) {
  return createClient({
    ...('url' in address && { url: address.url }),
    // A command sent while Redis is away fails at once instead of waiting for its return (connect-redis#373).
    disableOfflineQueue: true,
    // The library's own timeout stops counting once a command is written, so `within` does that work.
    commandOptions: { timeout: 0 },
    pingInterval: 1000,
    socket: {
      ...('socketPath' in address && { path: address.socketPath, tls: false }),
      connectTimeout: 2000,
      // A frozen or black-holed link closes, and is opened anew, when not even the pings are answered.
      socketTimeout: 3000,
      reconnectStrategy: (retries: number) =>
        Math.min(reconnectDelayMs.first * 2 ** Math.min(retries, 10), reconnectDelayMs.longest),
    },
  });
}

/**
 * The result of a Redis call, or an error once its time is over. The call itself can't be taken back:
 * a write may still happen after its deadline, so its outcome is then unknown.
 * @throws {RedisUnavailable}
 */
export function within<T>(milliseconds: number, call: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new RedisUnavailable(`Redis did not answer within ${milliseconds} ms`));
    }, milliseconds);
    call.then(
      (reply) => {
        clearTimeout(timer);
        resolve(reply);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(new RedisUnavailable('Redis did not do what was asked', { cause: error }));
      },
    );
  });
}
