import { expect, test } from 'vitest';
import { connectUrl } from '../support/app.ts';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { sentinelUrl, startCounted } from './watched.ts';

const name = 'watched';

test('a Sentinel that goes silent delays the answers of the others once, not each time', async () => {
  const primary = await startRedisServer(password);
  const [silent, other] = [await startCounted(primary.port, name), await startCounted(primary.port, name)];
  const redis = await connectUrl(sentinelUrl([silent, other], name));
  const timesOtherIsAsked = async () => {
    await redis.get('any');
    return other.timesAsked;
  };
  await expect.poll(timesOtherIsAsked).toBeGreaterThan(1);

  silent.link.holdAnswers();
  const before = { silent: silent.timesAsked, other: other.timesAsked };
  await expect.poll(timesOtherIsAsked).toBeGreaterThan(before.other + 3);
  expect(silent.timesAsked).toBeLessThanOrEqual(before.silent + 1);

  silent.link.release();
  await expect.poll(timesOtherIsAsked).toBeGreaterThan(before.other + 6);
  await expect.poll(() => redis.get('any').then(() => silent.timesAsked)).toBeGreaterThan(before.silent + 2);
  redis.destroy();
});
