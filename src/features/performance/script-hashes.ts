import { createHash } from 'node:crypto';
import { ErrorReply } from 'redis';
import type { RedisClient } from '../../redis/client.ts';
import type {} from '../../shared/redis-client.ts';

/**
 * Makes calling scripts cheaper: the client sends the text of each script once, and from then on its SHA-1. Redis loses
 * a text when it restarts, on SCRIPT FLUSH and, from 7.4 on, once 500 other scripts were used more recently; each node of
 * a Cluster has texts of its own. A Redis without the text answers NOSCRIPT, and is sent it. Texts must be constants:
 * they are kept as long as the process lives.
 */
export function tuneRedis(client: RedisClient): void {
  const hashes = new Map<string, string>();
  const evalText = client.eval.bind(client);

  async function sendText(...[script, options]: Parameters<RedisClient['eval']>): Promise<unknown> {
    const reply = await evalText(script, options);
    hashes.set(script, createHash('sha1').update(script).digest('hex'));
    return reply;
  }

  client.eval = async (script, options) => {
    const hash = hashes.get(script);
    if (hash === undefined) return sendText(script, options);
    try {
      return await client.evalSha(hash, options);
    } catch (error) {
      // Redis has run nothing.
      if (error instanceof ErrorReply && error.message.startsWith('NOSCRIPT')) return sendText(script, options);
      throw error;
    }
  };
}
