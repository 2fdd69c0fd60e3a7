import { ConfigError, readConfig } from '../../src/config.ts';

export const secret = 'x'.repeat(32);

/** What production needs at least. */
export const production = {
  NODE_ENV: 'production',
  REDIS_URL: 'redis://redis:6379',
  SESSION_SECRET: secret,
  BASE_URL: 'https://login.example.com',
  TRUST_PROXY: '1',
  SIGN_IN: 'trust',
};

/** What an operator is told about these settings; nothing if they are right. */
export function problemsOf(env: Record<string, string>): string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** Which settings the problems are about, in their order. */
export function blamed(env: Record<string, string>): string[] {
  return problemsOf(env).map((problem) => problem.split(' ')[0] ?? '');
}
