import { ErrorReply } from 'redis';
import { withTimeout } from '../../redis/deadline.ts';
import type { NodeClient } from '../../redis/node.ts';
import type { StoredValue } from '../../shared/operations.ts';
import type { RedisPermissions } from '../../shared/redis-permissions.ts';

/** Some of the keys of one Redis process, as Redis has them: with the prefix. */
export type Batch = { node: NodeClient; keys: string[] };

/** Redis looks at so many keys at a time, and serves nobody else meanwhile: a few milliseconds. */
const scanCount = 5000;
/** Nobody waits for a page here, but a Redis that does not answer must not keep the operator waiting for ever. */
const batchDeadlineMs = 30_000;

/**
 * All that Latchkey has in Redis, for the operator's commands. They may SCAN, on every primary of a Cluster; requests
 * never do.
 */
export class Keyspace {
  readonly #nodes: () => Promise<NodeClient[]>;
  readonly #prefix: string;

  /**
   * @param nodes a client of each process that takes writes
   * @param prefix of every key
   */
  constructor(nodes: () => Promise<NodeClient[]>, prefix = '') {
    this.#nodes = nodes;
    this.#prefix = prefix;
  }

  /**
   * The keys that match, in batches. One that is there all the time comes at least once; one that comes or goes
   * meanwhile may be missing.
   * @param pattern as SCAN takes it, of the key without the prefix
   * @throws {RedisUnavailable}
   */
  async *scan(pattern: string): AsyncGenerator<Batch> {
    // A key without braces is in braces behind the prefix.
    const match = this.#prefix === '' || pattern.includes('{') ? pattern : `{${pattern}}`;
    yield* this.#scan(this.#prefix + match);
  }

  async *#scan(match: string): AsyncGenerator<Batch> {
    for (const node of await withTimeout(batchDeadlineMs, this.#nodes())) {
      let cursor = '0';
      do {
        const scanning = node.scan(cursor, { MATCH: match, COUNT: scanCount });
        const reply = await withTimeout(batchDeadlineMs, scanning);
        cursor = reply.cursor;
        if (reply.keys.length > 0) yield { node, keys: reply.keys };
      } while (cursor !== '0');
    }
  }

  /** The keys that carry the tag of an address, in batches. */
  async *scanTag(tag: string): AsyncGenerator<Batch> {
    yield* this.#scan(this.#prefix === '' ? `*${tag}*` : `${this.#prefix}*{${tag}}*`);
  }

  /** Everything, in batches. */
  async *scanAll(): AsyncGenerator<Batch> {
    yield* this.#prefix === '' ? this.scan('*') : this.scan('*{*');
  }

  /** Tells whoever is subscribed to a channel, on any node. */
  async publish(channel: string): Promise<void> {
    const [node] = await withTimeout(batchDeadlineMs, this.#nodes());
    if (node) await withTimeout(batchDeadlineMs, node.publish(this.#prefix + channel, ''));
  }

  /** The version of each process. */
  async versions(): Promise<string[]> {
    const nodes = await withTimeout(batchDeadlineMs, this.#nodes());
    const replies = await withTimeout(batchDeadlineMs, Promise.all(nodes.map((node) => node.hello())));
    return [...new Set(replies.map(({ version }) => version))];
  }

  /** Which of these commands the Redis user may not use; nothing is carried out. */
  async lacking(commands: RedisPermissions['commands']): Promise<string[]> {
    const [node] = await withTimeout(batchDeadlineMs, this.#nodes());
    const script = 'return redis.acl_check_cmd(unpack(ARGV)) and 1 or 0';
    const ask = async ([name, example]: [string, string]): Promise<string[]> => {
      const words = [name, ...example.split(' ').map((word) => (word === 'KEY' ? `${this.#prefix}blocks` : word))];
      const isAllowed = await node?.eval(script, { keys: [], arguments: words }).catch(zeroIfRefused);
      return isAllowed === 1 ? [] : [name];
    };
    return (await withTimeout(batchDeadlineMs, Promise.all(Object.entries(commands).map(ask)))).flat();
  }

  /** A key without its prefix, as the code that wrote it calls it. */
  nameOf(key: string): string {
    const name = key.slice(this.#prefix.length);
    return this.#prefix === '' ? name : (/^\{([^{}]+)\}$/.exec(name)?.[1] ?? name);
  }
}

/**
 * The texts at these keys; null for one that is gone or holds something else.
 * @throws {RedisUnavailable}
 */
export function readTexts({ node, keys }: Batch): Promise<(string | null)[]> {
  return ofMany(
    keys,
    (some) => node.mGet(some),
    async (key) => node.get(key).catch(nullIfWrongType),
  );
}

/**
 * What is at a key, and when it ends; undefined if it is gone, or of a type that Latchkey doesn't use.
 * @throws {RedisUnavailable}
 */
export async function readKey(
  node: NodeClient,
  key: string,
): Promise<{ value: StoredValue; endsAt: number } | undefined> {
  const read = async () => {
    const [type, endsAt] = await Promise.all([node.type(key), node.pExpireTime(key)]);
    const value = await readAs(type, node, key);
    return value === null ? undefined : { value, endsAt };
  };
  return withTimeout(batchDeadlineMs, read());
}

async function readAs(type: string, node: NodeClient, key: string): Promise<StoredValue | null> {
  switch (type) {
    case 'string':
      return node.get(key);
    case 'hash':
      return node.hGetAll(key);
    case 'list':
      return node.lRange(key, 0, -1);
    case 'set':
      return node.sMembers(key);
    case 'zset':
      return node.zRange(key, 0, -1);
    default:
      return null;
  }
}

/**
 * Deletes these keys.
 * @returns how many there were
 * @throws {RedisUnavailable}
 */
export async function deleteKeys({ node, keys }: Batch): Promise<number> {
  if (keys.length === 0) return 0;
  const counts = await ofMany(
    keys,
    async (some) => [await node.unlink(some)],
    (key) => node.unlink(key),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

// In a Cluster, one command takes the keys of one slot only, even where several slots are on the same node.
function ofMany<Result>(
  keys: string[],
  together: (keys: string[]) => Promise<Result[]>,
  each: (key: string) => Promise<Result>,
): Promise<Result[]> {
  const work = together(keys).catch((error: unknown) => {
    if (!(error instanceof ErrorReply && error.message.startsWith('CROSSSLOT'))) throw error;
    return Promise.all(keys.map(each));
  });
  return withTimeout(batchDeadlineMs, work);
}

// Of a command that Redis does not know, acl_check_cmd says so by an error.
function zeroIfRefused(error: unknown): 0 {
  if (error instanceof ErrorReply && !/^(?:LOADING|BUSY|CLUSTERDOWN|MASTERDOWN) /.test(error.message)) return 0;
  throw error;
}

function nullIfWrongType(error: unknown): null {
  if (error instanceof ErrorReply && error.message.startsWith('WRONGTYPE')) return null;
  throw error;
}
