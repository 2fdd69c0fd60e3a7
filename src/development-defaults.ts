import { join } from 'node:path';
import type { Config, RedisTarget, SessionSecrets } from './config.ts';
import type { Development } from './core.ts';

const dataDirectory = '.data';

/**
 * The Redis to use: the one in the settings or, in development, a private one, which is started unless it runs already.
 * @returns also what leaves that one again
 */
export async function findRedis(
  config: Config,
  development: Development | undefined,
): Promise<{ target: RedisTarget; stop: () => Promise<void> }> {
  if (config.redis !== undefined) return { target: config.redis, stop: async () => {} };
  if (!development) throw new Error('REDIS_URL is missing');
  const { socketPath, stop } = await development.startPrivateRedis(join(dataDirectory, 'redis'));
  return { target: { kind: 'single', address: { socketPath } }, stop };
}

/** The session secrets in the settings or, in development, those that are kept on this machine. */
export function findSecrets(config: Config, development: Development | undefined): SessionSecrets {
  const secrets = config.sessionSecrets ?? development?.readOrCreateSecrets(dataDirectory);
  if (!secrets) throw new Error('SESSION_SECRET is missing');
  return secrets;
}
