import { afterEach, expect, test, vi } from 'vitest';
import { checkClock } from '../../src/features/redis-checks/clock-check.ts';
import { createLogger } from '../../src/log.ts';
import { connectNode, testRedis } from '../support/app.ts';

const redis = await connectNode(await testRedis());
const lines: Record<string, unknown>[] = [];
const log = createLogger('info', { write: (line) => lines.push(JSON.parse(line)) });

afterEach(() => {
  vi.useRealTimers();
  lines.length = 0;
});

test.each([
  [-3600, true],
  [-8, true],
  [-1, false],
  [2, false],
  [8, true],
  [3600, true],
])('a clock that is %i s ahead of that of Redis: a warning is %s', async (seconds, isWarning) => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 });
  const service = checkClock(redis, log);
  await service.start?.();
  await service.stop();
  expect(lines).toHaveLength(isWarning ? 1 : 0);
  for (const { skewSeconds } of lines) expect(Math.abs(Number(skewSeconds) - seconds)).toBeLessThan(3);
});

test('the clocks are compared again every ten minutes, until the process stops', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const time = vi.spyOn(redis, 'time');
  const service = checkClock(redis, log);
  await service.start?.();
  vi.advanceTimersByTime(600_000);
  expect(time).toHaveBeenCalledTimes(2);
  await service.stop();
  vi.advanceTimersByTime(600_000);
  expect(time).toHaveBeenCalledTimes(2);
});
