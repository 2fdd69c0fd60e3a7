import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withTimeout } from '../../redis/deadline.ts';
import type { SessionLimits } from '../../session/lifetime.ts';
import { evenWhenFull } from '../../shared/even-when-full.ts';

const key = 'cut-off';

// By Redis's clock, which all processes have in common.
const setScript = `${evenWhenFull}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[1], string.format('%d', now + 1), 'PX', ARGV[1])
return now`;

/**
 * The moment at which everybody's sessions were ended: sessions that signed in earlier are refused when they are loaded,
 * without another command to Redis. So a session that was being stored at that moment, or that an outdated replica or a
 * backup brings back, has ended as well.
 */
export class CutOff {
  readonly #redis: RedisClient;
  #minSignedInAt = 0;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  /** When a session must have signed in at the earliest; milliseconds since the epoch. It never moves back. */
  get minSignedInAt(): number {
    return this.#minSignedInAt;
  }

  /**
   * Reads what Redis holds.
   * @throws {RedisUnavailable}
   */
  async read(): Promise<void> {
    const read = Number(await withTimeout(deadlineMs, this.#redis.get(key)));
    if (read > this.#minSignedInAt) this.#minSignedInAt = read;
  }

  /**
   * Ends every session that has signed in by now. The processes have to be told to read it.
   * @param maxSessionSeconds for how long a session can live
   * @throws {RedisUnavailable}
   */
  async set(maxSessionSeconds: number): Promise<void> {
    const step = { keys: [key], arguments: [String(maxSessionSeconds * 1000)] };
    await withTimeout(deadlineMs, this.#redis.eval(setScript, step));
  }
}

/**
 * The limits by which the app judges sessions now: those of the settings, and the cut-off, which a command's own process
 * does not follow.
 * @throws {RedisUnavailable}
 */
export async function currentLimits(redis: RedisClient, limits: SessionLimits): Promise<SessionLimits> {
  const cutOff = new CutOff(redis);
  await cutOff.read();
  return { ...limits, minSignedInAt: () => cutOff.minSignedInAt };
}
