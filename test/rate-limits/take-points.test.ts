import { beforeEach, describe, expect, test } from 'vitest';
import { takePoints } from '../../src/features/rate-limits/take-points.ts';
import { startApp } from '../support/app.ts';
import { commandsFor } from '../support/commands.ts';
import { counts, daily, hourly } from './counters.ts';

const { redis } = await startApp();
const day = 86_400_000;

beforeEach(async () => {
  await redis.flushAll();
});

describe('takePoints', () => {
  test('takes so many in a window, however many ask at once, and says how long to wait', async () => {
    const waits = await Promise.all(Array.from({ length: 20 }, () => takePoints(redis, [hourly])));
    expect(waits.filter((waitMs) => waitMs === 0)).toHaveLength(3);
    const waitMs = await takePoints(redis, [hourly]);
    expect(waitMs).toBeGreaterThan(3_590_000);
    expect(waitMs).toBeLessThanOrEqual(3_600_000);
  });

  test('takes from all of several counters or from none, and waits for the last of them', async () => {
    for (let times = 1; times <= 4; times += 1) await takePoints(redis, [hourly, daily]);
    expect(await counts(redis)).toEqual(['3', '3']);
    await redis.set(daily.key, '5', { expiration: { type: 'PX', value: day } });
    expect(await takePoints(redis, [hourly, daily])).toBeGreaterThan(day - 5000);
    await redis.del(hourly.key);
    expect(await takePoints(redis, [hourly, daily])).toBeGreaterThan(0);
    expect(await counts(redis)).toEqual([null, '5']);
  });

  test('starts a window with its first event, which no later one prolongs', async () => {
    await takePoints(redis, [hourly]);
    await redis.pExpire(hourly.key, 10_000);
    await takePoints(redis, [hourly]);
    expect(await redis.pTTL(hourly.key)).toBeGreaterThan(0);
    expect(await redis.pTTL(hourly.key)).toBeLessThanOrEqual(10_000);
    for (let times = 1; times <= 3; times += 1) await takePoints(redis, [hourly]);
    expect(await takePoints(redis, [hourly])).toBeLessThanOrEqual(10_000);
  });

  test('starts anew when the window is over', async () => {
    for (let times = 1; times <= 3; times += 1) await takePoints(redis, [hourly]);
    await redis.pExpire(hourly.key, 1);
    await expect.poll(() => redis.exists(hourly.key)).toBe(0);
    expect(await takePoints(redis, [hourly])).toBe(0);
    expect(await redis.get(hourly.key)).toBe('1');
  });

  test('runs the same commands with a decoy, which lasts a second, whether it refuses or not', async () => {
    const take = () => takePoints(redis, [hourly], { decoy: 'l:{a}decoy' });
    const accepted = await commandsFor(redis, take);
    await redis.set(hourly.key, '3', { expiration: { type: 'EX', value: 60 } });
    expect(await commandsFor(redis, take)).toEqual(accepted);
    expect(await redis.get(hourly.key)).toBe('3');
    expect(await redis.pTTL('l:{a}decoy')).toBeGreaterThan(0);
    expect(await redis.pTTL('l:{a}decoy')).toBeLessThanOrEqual(1000);
  });
});
