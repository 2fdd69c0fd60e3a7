import { expect } from 'vitest';
import { RedisUnavailable } from '../../src/redis/deadline.ts';
import { connectUrl } from './app.ts';

/** Holds that the start ends with this reason, and without waiting for longer than it says. */
export async function expectUnreachable(url: string, reason: RegExp): Promise<void> {
  const attempt = connectUrl(url);
  await expect(attempt).rejects.toBeInstanceOf(RedisUnavailable);
  await expect(attempt).rejects.toMatchObject({
    message: expect.stringMatching(/^Redis (could not be reached within 2 s|refused)$/),
    cause: { message: expect.stringMatching(reason) },
  });
}
