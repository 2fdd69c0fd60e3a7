import type { Service } from '../../core.ts';
import type { Logger } from '../../log.ts';
import type { RedisClient } from '../../redis/client.ts';
import { deadlineMs, withTimeout } from '../../redis/deadline.ts';

const maxSkewMs = 5000;
const checkIntervalMs = 600_000;

/**
 * Warns when the clocks of this process and of Redis differ, at start and every ten minutes. Sessions expire by
 * both, and Redis is the clock that all processes have in common.
 */
export function checkClock(redis: RedisClient, log: Logger): Service {
  let timer: NodeJS.Timeout | undefined;

  async function check(): Promise<void> {
    const askedAt = Date.now();
    const [seconds, microseconds] = await withTimeout(deadlineMs, redis.time());
    const redisMs = Number(seconds) * 1000 + Number(microseconds) / 1000;
    const skewMs = (askedAt + Date.now()) / 2 - redisMs;
    if (Math.abs(skewMs) > maxSkewMs) {
      const skewSeconds = Math.round(skewMs / 1000);
      log.warn({ skewSeconds }, "this machine's clock and that of Redis differ: synchronize both (NTP)");
    }
  }

  return {
    async start() {
      timer = setInterval(() => void check().catch(() => {}), checkIntervalMs).unref();
      // A Redis that is away is reported by its connection.
      await check().catch(() => {});
    },
    async stop() {
      clearInterval(timer);
    },
  };
}
