import { redisCalls } from '../diagnostics.ts';

/** How long a request waits for an answer of Redis, which normally takes well under a millisecond. */
export const deadlineMs = 1000;

/** Redis didn't answer in time, refused, or isn't there; `cause` is its own error. */
export class RedisUnavailable extends Error {
  override readonly name = 'RedisUnavailable';
  readonly status = 503;
}

/** Whether Redis itself answered with an error; by its text, since an app may have a redis package of another version. */
export function isRefusal(error: unknown, text = /^[A-Z]{2,} /): error is RedisUnavailable {
  return error instanceof RedisUnavailable && error.cause instanceof Error && text.test(error.cause.message);
}

/**
 * The result of a Redis call that a visitor waits for, or an error once its time is up. A write may still happen after
 * that. Each call is traced as one of `redisCalls`.
 * @throws {RedisUnavailable}
 */
export function withDeadline<T>(milliseconds: number, call: Promise<T>): Promise<T> {
  return redisCalls.tracePromise(() => withTimeout(milliseconds, call));
}

/** The same for calls that no visitor waits for: they are not traced. */
export function withTimeout<T>(milliseconds: number, call: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timeUp = () => reject(new RedisUnavailable(`Redis did not answer within ${milliseconds} ms`));
    // An answer that arrived while this process was busy is read before the immediate runs, and counts.
    const timer = setTimeout(() => setImmediate(timeUp), milliseconds);
    call.then(
      (reply) => {
        clearTimeout(timer);
        resolve(reply);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(new RedisUnavailable('Redis command failed', { cause: error }));
      },
    );
  });
}
