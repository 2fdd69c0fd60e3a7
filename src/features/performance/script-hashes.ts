import { createHash } from 'node:crypto';
import { ErrorReply } from 'redis';
import type { RedisClient } from '../../redis/client.ts';
import type {} from '../../shared/redis-client.ts';

/**
 * Makes a client send the text of each script once, and from then on its SHA-1. Redis keeps the text until it ends, and may
 * drop it before (SCRIPT FLUSH, or 500 newer scripts since 7.4), so on NOSCRIPT the text is sent again.
 */
export function sendHashesOfScripts(client: RedisClient): void {
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
