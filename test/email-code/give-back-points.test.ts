import { beforeEach, describe, expect, test } from 'vitest';
import { giveBackPoints } from '../../src/features/email-code/give-back-points.ts';
import { takePoints } from '../../src/features/rate-limits/take-points.ts';
import { counts, daily, hourly } from '../rate-limits/counters.ts';
import { startApp } from '../support/app.ts';
import { commandsFor } from '../support/commands.ts';

const { redis } = await startApp();

beforeEach(async () => {
  await redis.flushAll();
});

describe('giveBackPoints', () => {
  test('gives one back, or none with the same commands, and leaves the window as it was', async () => {
    for (let times = 1; times <= 2; times += 1) await takePoints(redis, [hourly, daily]);
    const given = await commandsFor(redis, () => giveBackPoints(redis, [hourly, daily]));
    expect(await counts(redis)).toEqual(['1', '1']);
    expect(await commandsFor(redis, () => giveBackPoints(redis, [hourly, daily], 0))).toEqual(given);
    expect(await counts(redis)).toEqual(['1', '1']);
    expect(await redis.ttl(hourly.key)).toBeGreaterThan(3590);
  });

  test('gives nothing back to a window that is over, or that nothing was taken from', async () => {
    await giveBackPoints(redis, [hourly]);
    expect(await redis.exists(hourly.key)).toBe(0);
    await redis.set(hourly.key, '0', { expiration: { type: 'EX', value: 60 } });
    await giveBackPoints(redis, [hourly]);
    expect(await redis.get(hourly.key)).toBe('0');
  });
});
