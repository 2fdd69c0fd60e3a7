import { expect, test } from 'vitest';
import { deadlineMs, withDeadline } from '../../src/redis/deadline.ts';
import { afterwards } from '../support/afterwards.ts';
import { connectUrl } from '../support/app.ts';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { sentinelUrl, startSentinel } from './watched.ts';

const name = 'watched';

test('the Sentinels are asked while a silent primary is waited for, and its successor is followed at once', async () => {
  const [first, second] = [await startRedisServer(password), await startRedisServer(password)];
  const link = await startTcpProxy({ host: '127.0.0.1', port: first.port });
  afterwards(link.close);
  const attempts = { begun: 0, asked: 0 };
  link.onRequest = (bytes) => {
    if (bytes.includes('latchkey')) attempts.begun += 1;
  };
  const sentinel = await startSentinel(link.port, name);
  const watch = await startTcpProxy({ host: '127.0.0.1', port: sentinel.port });
  afterwards(watch.close);
  watch.onRequest = (bytes) => {
    if (bytes.includes('GET-MASTER-ADDR-BY-NAME')) attempts.asked += 1;
  };
  const redis = await connectUrl(sentinelUrl([watch], name));
  afterwards(() => redis.destroy());
  const answer = () => withDeadline(deadlineMs, redis.set('key', 'value')).catch(String);

  link.blackHole();
  attempts.begun = 0;
  const isAttempted = { timeout: 15_000, interval: 50 };
  const timesBegun = () => answer().then(() => attempts.begun);
  await expect.poll(timesBegun, isAttempted).toBeGreaterThan(0);
  const before = { ...attempts };
  await expect.poll(timesBegun, isAttempted).toBeGreaterThan(before.begun + 2);
  expect(attempts.asked - before.asked).toBeGreaterThanOrEqual(2 * (attempts.begun - before.begun));

  const tell = (...words: string[]) => sentinel.client((client) => client.sendCommand(['SENTINEL', ...words]));
  await tell('REMOVE', name);
  await tell('MONITOR', name, '127.0.0.1', String(second.port), '1');
  await expect.poll(answer, isAttempted).toBe('OK');
});
