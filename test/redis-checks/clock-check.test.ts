import { afterEach, expect, test, vi } from 'vitest';
import { now } from '../../src/clock.ts';
import { checkClock } from '../../src/features/redis-checks/clock-check.ts';
import { createLogger } from '../../src/log.ts';
import { connectNode } from '../support/app.ts';
import { testRedis } from '../support/test-redis.ts';

const redis = await connectNode(await testRedis());
const lines: Record<string, unknown>[] = [];
const log = createLogger('info', { write: (line) => lines.push(JSON.parse(line)) });

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
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
  await service.stop?.();
  expect(lines).toHaveLength(isWarning ? 1 : 0);
  for (const { skewSeconds } of lines) expect(Math.abs(Number(skewSeconds) - seconds)).toBeLessThan(3);
});

test('until the process stops, the clocks are compared every minute, and a difference is said every ten', async () => {
  vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] });
  const realNow = Date.now;
  vi.spyOn(Date, 'now').mockImplementation(() => realNow() + 3_600_000);
  const time = vi.spyOn(redis, 'time');
  const service = checkClock(redis, log);
  await service.start?.();
  for (let minute = 1; minute <= 11; minute += 1) {
    vi.advanceTimersByTime(60_000);
    await time.mock.results.at(-1)?.value;
  }
  expect(time).toHaveBeenCalledTimes(12);
  await expect.poll(() => lines.length).toBe(2);
  await service.stop?.();
  vi.advanceTimersByTime(600_000);
  expect(time).toHaveBeenCalledTimes(12);
});

test('the app goes by the clock of Redis, unless the difference is too small to tell', async () => {
  const readNow = async (aheadMs: number) => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    const realMs = Date.now();
    vi.setSystemTime(realMs + aheadMs);
    const service = checkClock(redis, log);
    await service.start?.();
    const readMs = now() - realMs;
    await service.stop?.();
    vi.useRealTimers();
    return readMs;
  };
  expect(Math.abs(await readNow(660_000))).toBeLessThan(5000);
  expect(Math.abs(await readNow(-660_000))).toBeLessThan(5000);
  const [before, read, after] = [Date.now(), now(), Date.now()];
  expect(read).toBeGreaterThanOrEqual(before);
  expect(read).toBeLessThanOrEqual(after);
});
