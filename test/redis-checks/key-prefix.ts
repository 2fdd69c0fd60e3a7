/** A key prefix, as an operator would set it. */
export const env: Record<string, string> = {
  REDIS_KEY_PREFIX: 'latchkey:', // feature: redis-key-prefix
};

/** What keys begin with under {@link env}. */
export const keyPrefix = Object.values(env).join('');
