import { expect, test } from 'vitest';
import { readStoredText } from '../../src/features/email-code/stored-text.ts';
import { RedisUnavailable } from '../../src/redis/deadline.ts';
import { startApp } from '../support/app.ts';

const { redis } = await startApp();

test('what is stored is its text, or nothing, and an error while Redis refuses', async () => {
  await redis.set('text', 'a');
  await redis.hSet('hash', 'a', 'b');
  expect(await readStoredText(redis, 'text')).toBe('a');
  expect(await readStoredText(redis, 'hash')).toBeUndefined();
  expect(await readStoredText(redis, 'nothing')).toBeUndefined();
  await redis.sendCommand(['ACL', 'SETUSER', 'default', '-get']);
  try {
    await expect(readStoredText(redis, 'text')).rejects.toThrow(RedisUnavailable);
  } finally {
    await redis.sendCommand(['ACL', 'SETUSER', 'default', '+@all']);
  }
});
