/** A key prefix, as an operator would set it. */
export const keyPrefixEnv: Record<string, string> = {
  REDIS_KEY_PREFIX: 'latchkey:', // feature: redis-key-prefix
};

/** What keys begin with under {@link keyPrefixEnv}. */
export const keyPrefix = Object.values(keyPrefixEnv).join('');
