import { type Config, ConfigError, readConfig, settings } from '../../src/config.ts';
import { readSources } from '../../src/features/env-file/sources.ts';

/** The configuration with this environment and this `.env`, as the start reads it. */
export function configWith(env: NodeJS.ProcessEnv, path = '/nowhere/.env'): Config {
  const given = readSources(settings, env, path);
  return readConfig(given.env, given.problems);
}

/** What an operator is told about them; nothing if they are right. */
export function problemsWith(env: NodeJS.ProcessEnv, path?: string): string[] {
  try {
    configWith(env, path);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
