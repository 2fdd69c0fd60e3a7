import { ClientOfflineError, SimpleError } from 'redis';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { outageLog } from '../../src/features/failover/outage-log.ts';
import { createLogger } from '../../src/log.ts';
import { RedisUnavailable } from '../../src/redis/deadline.ts';

const lines: Record<string, unknown>[] = [];
const log = createLogger('info', { write: (line) => lines.push(JSON.parse(line)) });

const full = new RedisUnavailable('Redis command failed', {
  cause: new SimpleError("OOM command not allowed when used memory > 'maxmemory'."),
});
const slow = new RedisUnavailable('Redis did not answer within 1000 ms');

beforeEach(() => {
  lines.length = 0;
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('an outage is logged when it begins and when it is over, not once per request', () => {
  const noteFailure = outageLog(log);
  for (let second = 0; second < 60; second += 1) {
    noteFailure(full);
    vi.advanceTimersByTime(1000);
  }
  expect(lines).toMatchObject([{ level: 50, msg: 'Redis fails requests', reason: 'OOM' }]);
  vi.advanceTimersByTime(5000);
  expect(lines[1]).toMatchObject({ level: 30, msg: 'Redis no longer fails requests', reason: 'OOM', requests: 60 });
  noteFailure(full);
  expect(lines).toHaveLength(3);
});

test('each reason is an outage of its own, logged with the words of Redis', () => {
  const noteFailure = outageLog(log);
  for (const error of [full, slow, full, slow]) noteFailure(error);
  expect(lines).toMatchObject([
    { reason: 'OOM', err: { cause: { message: expect.stringContaining('maxmemory') } } },
    { reason: 'Redis did not answer within 1000 ms' },
  ]);
});

test('a lost connection is left to the connection itself to report', () => {
  const noteFailure = outageLog(log);
  const causes = [new ClientOfflineError(), Object.assign(new Error('read ECONNRESET'), { syscall: 'read' })];
  for (const cause of causes) noteFailure(new RedisUnavailable('Redis command failed', { cause }));
  expect(lines).toEqual([]);
});

test('a bug in our own code, inside a call to Redis, is not mistaken for a lost connection', () => {
  outageLog(log)(new RedisUnavailable('Redis command failed', { cause: new TypeError('planted') }));
  expect(lines).toMatchObject([{ reason: 'TypeError' }]);
});
