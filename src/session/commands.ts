import { HttpError } from '../http/http-error.ts';
import { isWrongType, withDeadline } from '../redis/deadline.ts';

/** What sessions need of a Redis client; any client of the `redis` package fits. */
export type SessionRedis = {
  get: (key: string) => Promise<string | null>;
  eval: (script: string, options: { keys: string[]; arguments: string[] }) => Promise<unknown>;
};

/** The session had ended before its changes were saved: by logout, revocation or expiry. Nothing was stored. */
export class SessionEnded extends HttpError {
  constructor() {
    super(401, 'Your session has ended. Please login first.');
    this.name = 'SessionEnded';
  }
}

/** Sends a store's commands to Redis, each with a deadline. Both methods throw `RedisUnavailable`. */
export class SessionCommands {
  readonly #redis: SessionRedis;
  readonly #deadlineMs: number;

  constructor(redis: SessionRedis, deadlineMs: number) {
    this.#redis = redis;
    this.#deadlineMs = deadlineMs;
  }

  /** The text at a key; null if there is none, and empty if the key holds something else. */
  async read(key: string): Promise<string | null> {
    try {
      return await withDeadline(this.#deadlineMs, this.#redis.get(key));
    } catch (error) {
      if (isWrongType(error)) return '';
      throw error;
    }
  }

  /** Runs one of the scripts of scripts.ts. */
  run(script: string, keys: string[], values: (string | number)[]): Promise<unknown> {
    return withDeadline(this.#deadlineMs, this.#redis.eval(script, { keys, arguments: values.map(String) }));
  }
}
