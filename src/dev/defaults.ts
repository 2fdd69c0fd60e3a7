import { join } from 'node:path';
import type { Config, RedisTarget, SessionSecrets } from '../config.ts';
import { readOrCreateSecrets } from './kept-secret.ts';
import { startPrivateRedis } from './private-redis.ts';

const dataDirectory = '.data';

/**
 * What a start needs and the settings may leave out: session secrets that are kept on this machine, and a private Redis,
 * which is started unless it runs already.
 * @param closers takes what leaves that Redis again
 */
export async function fillIn(
  { redis, sessionSecrets = readOrCreateSecrets(dataDirectory) }: Pick<Config, 'redis' | 'sessionSecrets'>,
  closers: (() => Promise<void>)[],
): Promise<{ redis: RedisTarget; sessionSecrets: SessionSecrets }> {
  if (redis) return { redis, sessionSecrets };
  const { socketPath, stop } = await startPrivateRedis(join(dataDirectory, 'redis'));
  closers.push(stop);
  return { redis: { kind: 'single', address: { socketPath } }, sessionSecrets };
}
