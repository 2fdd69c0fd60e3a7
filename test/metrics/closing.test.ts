import { expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { ask } from '../support/client.ts';

test('a process that is about to stop is not counted as unavailable, and one whose Redis is gone is', async () => {
  let isClosing = true;
  const { url, redis, logged } = await startApp({ env: { METRICS_PORT: '0' }, isClosing: () => isClosing });
  const metricsUrl = `http://127.0.0.1:${logged().find(({ msg }) => msg === 'metrics are served')?.port}`;
  const counted = async () => {
    const { text } = await ask(metricsUrl, 'get', '/metrics').expect(200);
    return /^latchkey_request_seconds_count\{method="GET",route="\/readyz",status="503"\} (\d+)$/m.exec(text)?.[1];
  };
  await ask(url, 'get', '/readyz').expect(503, 'closing\n');
  expect(await counted()).toBeUndefined();
  isClosing = false;
  await redis.sendCommand(['SHUTDOWN', 'NOSAVE']).catch(() => {});
  await ask(url, 'get', '/readyz').expect(503);
  expect(await counted()).toBe('1');
});
