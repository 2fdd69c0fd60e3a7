import type { NodeClient } from '../../src/redis/node.ts';

export const hourly = { key: 'l:{a}hour', points: 3, seconds: 3600 };
export const daily = { key: 'l:{a}day', points: 5, seconds: 86_400 };

/** What is counted for the hour and for the day. */
export function counts(redis: NodeClient): Promise<(string | null)[]> {
  return Promise.all([hourly, daily].map(({ key }) => redis.get(key)));
}
