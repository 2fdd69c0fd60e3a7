import { ErrorReply } from 'redis';
import { redisCalls } from '../diagnostics.ts';

/** Longest wait for a Redis answer in a request. Redis answers in well under a millisecond when it is well. */
export const deadlineMs = 1000;

/** Redis did not answer in time, refused, or is not there; `cause` is its own error. */
export class RedisUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RedisUnavailable';
  }
}

/** Whether a call failed because its key holds something of another type. */
export function isWrongType(error: unknown): boolean {
  const cause = error instanceof RedisUnavailable ? error.cause : undefined;
  return cause instanceof ErrorReply && cause.message.startsWith('WRONGTYPE');
}

/**
 * The result of a Redis call, or an error once its time is over. The call itself can't be taken back:
 * a write may still happen after its deadline, so its outcome is then unknown.
 * @throws {RedisUnavailable}
 */
export function withDeadline<T>(milliseconds: number, call: Promise<T>): Promise<T> {
  return redisCalls.hasListeners ? timed(withTimeout(milliseconds, call)) : withTimeout(milliseconds, call);
}

/** The same, for what Latchkey asks on its own account: the metrics do not count it. */
export function withTimeout<T>(milliseconds: number, call: Promise<T>): Promise<T> {
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

async function timed<T>(call: Promise<T>): Promise<T> {
  const startedAt = performance.now();
  let ok = false;
  try {
    const reply = await call;
    ok = true;
    return reply;
  } finally {
    redisCalls.publish({ ok, seconds: (performance.now() - startedAt) / 1000 });
  }
}
