import { HttpError } from '../http/http-error.ts';
import { isRefusal, deadlineMs as usualDeadlineMs, withDeadline } from '../redis/deadline.ts';

/** What sessions need of a Redis client; any client of the `redis` package fits. */
export type SessionRedis = {
  get: (key: string) => Promise<string | null>;
  eval: (script: string, options: { keys: string[]; arguments: string[] }) => Promise<unknown>;
};

/** The session had ended before its changes were saved: by logout, revocation or expiry. Nothing was stored. */
export class SessionEnded extends HttpError {
  override readonly name = 'SessionEnded';

  constructor() {
    super(401, 'Your session has ended. Please login first.');
  }
}

export type SessionCommands = ReturnType<typeof sessionCommands>;

/** What a store sends to Redis, each call with a deadline. Both functions throw `RedisUnavailable`. */
export function sessionCommands(redis: SessionRedis, deadlineMs = usualDeadlineMs) {
  return {
    /** The text at a key; null if there is none, and empty if the key holds something else. */
    read(key: string): Promise<string | null> {
      return withDeadline(deadlineMs, redis.get(key)).catch((error: unknown) => {
        if (isRefusal(error, /^WRONGTYPE /)) return '';
        throw error;
      });
    },

    /** Runs one of the scripts in scripts.ts. */
    run(script: string, keys: string[], values: (string | number)[]): Promise<unknown> {
      return withDeadline(deadlineMs, redis.eval(script, { keys, arguments: values.map(String) }));
    },
  };
}
