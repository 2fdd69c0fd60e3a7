import type { Actor } from '../../cli/actor.ts';
import type { Logger } from '../../log.ts';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withTimeout } from '../../redis/deadline.ts';
import { evenWhenFull } from '../../shared/even-when-full.ts';

/** What an operator did. It names nobody but the operator: addresses by their tag, sessions by their handle. */
export type OperatorAction = { command: string; actor: Actor; at: number } & Record<string, unknown>;

const key = 'operator-log';
const maxWaiting = 1000;
const waitingSeconds = 7 * 86_400;

const addScript = `${evenWhenFull}
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], -ARGV[2], -1)
redis.call('EXPIRE', KEYS[1], ARGV[3])`;

/**
 * Hands what operators do to the app, so that it stands in the app's own log: a command that is run in a container, or
 * on another machine, prints where nobody collects it. Waits in Redis while no process of the app is running.
 */
export class OperatorLog {
  readonly #redis: RedisClient;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  /** @throws {RedisUnavailable} */
  async add(action: OperatorAction): Promise<void> {
    const step = { keys: [key], arguments: [JSON.stringify(action), String(maxWaiting), String(waitingSeconds)] };
    await withTimeout(deadlineMs, this.#redis.eval(addScript, step));
  }

  /**
   * Logs what waits; of several processes, one logs each. As a warning, so that `LOG_LEVEL=warn` keeps it; a process that
   * logs no warnings leaves it to others.
   * @throws {RedisUnavailable}
   */
  async drainTo(log: Logger): Promise<void> {
    if (!log.isLevelEnabled('warn')) return;
    const pop = () => this.#redis.eval("return redis.call('LPOP', KEYS[1])", { keys: [key], arguments: [] });
    for (;;) {
      const text = await withTimeout(deadlineMs, pop());
      if (typeof text !== 'string') return;
      const action = parse(text);
      if (action) log.warn({ ...action, at: new Date(Number(action.at)) }, 'operator command');
    }
  }
}

function parse(text: string): Partial<OperatorAction> | undefined {
  try {
    const { level: _level, time: _time, msg: _msg, ...action } = JSON.parse(text);
    return action;
  } catch {
    return undefined;
  }
}
