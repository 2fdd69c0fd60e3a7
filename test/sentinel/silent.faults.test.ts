import { expect, test } from 'vitest';
import { afterwards } from '../support/afterwards.ts';
import { connectUrl } from '../support/app.ts';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { sentinelUrl, startSentinel } from './watched.ts';

const name = 'watched';

/** A Sentinel behind a link that counts how often it was asked where the primary is. */
async function startCounted(primaryPort: number) {
  const { port } = await startSentinel(primaryPort, name);
  const link = await startTcpProxy({ host: '127.0.0.1', port });
  afterwards(link.close);
  const counted = { port: link.port, link, timesAsked: 0 };
  link.onRequest = (bytes) => {
    counted.timesAsked += bytes.toString().split('GET-MASTER-ADDR-BY-NAME').length - 1;
  };
  return counted;
}

test('a Sentinel that goes silent delays the answers of the others once, not each time', async () => {
  const primary = await startRedisServer(password);
  const [silent, other] = [await startCounted(primary.port), await startCounted(primary.port)];
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
