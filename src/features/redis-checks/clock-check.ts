import { correctClock } from '../../clock.ts';
import type { Service } from '../../core.ts';
import type { Logger } from '../../log.ts';
import type { RedisClient } from '../../redis/client.ts';
import { figures } from '../../shared/figures.ts';
import { measureSkew } from '../../shared/redis-clock.ts';

const maxSkewMs = 5000;
/** Smaller differences are left alone: an answer may take that long. */
const maxIgnoredMs = 1000;
const checkIntervalMs = 60_000;
const warnIntervalMs = 600_000;
const skewGauge = {
  name: 'latchkey_clock_skew_seconds',
  help: 'By how much the clock of this machine is ahead of that of Redis',
};

/**
 * Lets this process go by the clock of Redis where its own differs.
 * @returns by how much it is ahead, in milliseconds
 * @throws {RedisUnavailable}
 */
export async function goByRedisClock(redis: RedisClient): Promise<number> {
  const skewMs = await measureSkew(redis);
  correctClock(Math.abs(skewMs) > maxIgnoredMs ? skewMs : 0);
  return skewMs;
}

/**
 * Compares the clock of this process with that of Redis, which all processes have in common, at start and every minute.
 * Beyond a second of difference, the app goes by that of Redis; beyond five, the log says so as well.
 */
export function checkClock(redis: RedisClient, log: Logger): Service {
  let timer: NodeJS.Timeout | undefined;
  let warned = { atMs: Number.NEGATIVE_INFINITY, skewMs: 0 };

  async function check(): Promise<void> {
    const skewMs = await goByRedisClock(redis);
    figures.publish({ ...skewGauge, set: skewMs / 1000 });
    if (Math.abs(skewMs) > maxSkewMs) warn(skewMs);
  }

  function warn(skewMs: number): void {
    const atMs = performance.now();
    if (atMs - warned.atMs < warnIntervalMs && Math.abs(skewMs - warned.skewMs) <= maxSkewMs) return;
    warned = { atMs, skewMs };
    const skewSeconds = Math.round(skewMs / 1000);
    log.warn({ skewSeconds }, "this machine's clock and that of Redis differ: synchronize both (NTP)");
  }

  return {
    async start() {
      timer = setInterval(() => void check().catch(() => {}), checkIntervalMs).unref();
      // A Redis that is away is reported by its connection.
      await check().catch(() => {});
    },
    async stop() {
      clearInterval(timer);
      correctClock(0);
    },
  };
}
