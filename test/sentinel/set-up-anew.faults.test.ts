import { expect, test } from 'vitest';
import { connectUrl } from '../support/app.ts';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { sentinelUrl, startSentinel } from './watched.ts';

test('Sentinels that were set up anew, and count their failovers from 0 again, are followed', async () => {
  const [before, after] = [await startRedisServer(password), await startRedisServer(password)];
  const name = 'watched';
  const sentinel = await startSentinel(before.port, name, 7);
  const redis = await connectUrl(sentinelUrl([sentinel], name));
  await redis.set('where', 'before');
  await after.client((client) => client.set('where', 'after'));
  await sentinel.client(async (client) => {
    await client.sendCommand(['SENTINEL', 'REMOVE', name]);
    await client.sendCommand(['SENTINEL', 'MONITOR', name, '127.0.0.1', String(after.port), '2']);
  });
  await expect.poll(() => redis.get('where'), { timeout: 20_000 }).toBe('after');
  redis.destroy();
});
