import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withDeadline } from '../../redis/deadline.ts';
import { evenWhenFull } from '../../shared/even-when-full.ts';
import { type Network, namesAround, networkName, networkText } from './network.ts';

/** A network from which nobody may sign in. */
export type Block = { network: string; until: number };

const key = 'blocks';

const now = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

// One command, however many networks are blocked. Returns -1 if none is.
const askScript = `${now}
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
for _, ends in ipairs(redis.call('ZMSCORE', KEYS[1], unpack(ARGV))) do
  if ends and tonumber(ends) > now then return 1 end
end
return 0`;

const addScript = `${evenWhenFull}
${now}
local ends = now + ARGV[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], ends, ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
redis.call('PEXPIRE', KEYS[1], math.max(1, tonumber(last) - now))
return ends`;

// Writes nothing, so that it answers also while Redis refuses to write.
const listScript = `${now}
return redis.call('ZRANGE', KEYS[1], string.format('(%d', now), '+inf', 'BYSCORE', 'WITHSCORES')`;

/** Networks from which nobody may sign in for now. Every method that asks Redis throws `RedisUnavailable`. */
export class Blocks {
  readonly #redis: RedisClient;
  #isTold = false;
  #areNone = false;
  #changes = 0;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  /**
   * Whether this client is in one. While there are none, and this process would be told of one, Redis is not asked.
   * @param ip as Express reports it; what is not an address can't be blocked
   */
  async isBlocked(ip: string | undefined): Promise<boolean> {
    if (this.#isTold && this.#areNone) return false;
    const names = namesAround(ip);
    if (names.length === 0) return false;
    const changes = this.#changes;
    const reply = await this.#run(askScript, names);
    // A change that was announced meanwhile may be later than the reply.
    this.#areNone = reply === -1 && changes === this.#changes;
    return reply === 1;
  }

  /** Once this process is subscribed to changes of the blocks, `mayHaveChanged()` is called after each. */
  follow(subscribed: Promise<unknown>): void {
    this.#isTold = false;
    this.mayHaveChanged();
    subscribed.then(
      () => {
        this.#isTold = true;
      },
      () => {},
    );
  }

  /** Lets the next sign-in ask Redis again. */
  mayHaveChanged(): void {
    this.#changes += 1;
    this.#areNone = false;
  }

  /** Blocks a network, from now on for so long; an earlier block of the same network is replaced. */
  async add(network: Network, seconds: number): Promise<Block> {
    const name = networkName(network);
    const until = Number(await this.#run(addScript, [name, String(seconds * 1000)]));
    return { network: networkText(name), until };
  }

  /** @returns whether it was blocked */
  async remove(network: Network): Promise<boolean> {
    return (await this.#run("return redis.call('ZREM', KEYS[1], ARGV[1])", [networkName(network)])) === 1;
  }

  /** All of them, the next to end first. */
  async list(): Promise<Block[]> {
    return this.#blocksIn(await this.#run(listScript, []));
  }

  #blocksIn(reply: unknown): Block[] {
    const flat: unknown[] = Array.isArray(reply) ? reply : [];
    return flat.flatMap((name, position) =>
      position % 2 === 0 ? [{ network: networkText(String(name)), until: Number(flat[position + 1]) }] : [],
    );
  }

  #run(script: string, values: string[]): Promise<unknown> {
    return withDeadline(deadlineMs, this.#redis.eval(script, { keys: [key], arguments: values }));
  }
}
