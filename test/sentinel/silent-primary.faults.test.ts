import { expect, test } from 'vitest';
import { deadlineMs, withDeadline } from '../../src/redis/deadline.ts';
import { afterwards } from '../support/afterwards.ts';
import { connectUrl } from '../support/app.ts';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { sentinelUrl, startCounted } from './watched.ts';

const name = 'watched';

test('the Sentinels are asked while a silent primary is waited for, and its successor is followed at once', async () => {
  const [first, second] = [await startRedisServer(password), await startRedisServer(password)];
  const link = await startTcpProxy({ host: '127.0.0.1', port: first.port });
  afterwards(link.close);
  let begun = 0;
  link.onRequest = (bytes) => {
    if (bytes.includes('latchkey')) begun += 1;
  };
  const sentinel = await startCounted(link.port, name);
  const redis = await connectUrl(sentinelUrl([sentinel], name));
  afterwards(() => redis.destroy());
  const answer = () => withDeadline(deadlineMs, redis.set('key', 'value')).catch(String);

  link.blackHole();
  begun = 0;
  const isAttempted = { timeout: 15_000, interval: 50 };
  const timesBegun = () => answer().then(() => begun);
  await expect.poll(timesBegun, isAttempted).toBeGreaterThan(0);
  const before = { begun, asked: sentinel.timesAsked };
  await expect.poll(timesBegun, isAttempted).toBeGreaterThan(before.begun + 2);
  expect(sentinel.timesAsked - before.asked).toBeGreaterThanOrEqual(2 * (begun - before.begun));

  const tell = (...words: string[]) => sentinel.client((client) => client.sendCommand(['SENTINEL', ...words]));
  await tell('REMOVE', name);
  await tell('MONITOR', name, '127.0.0.1', String(second.port), '1');
  await expect.poll(answer, isAttempted).toBe('OK');
});
