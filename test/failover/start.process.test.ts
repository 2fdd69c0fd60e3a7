import { test } from 'vitest';
import { expectUnreachable } from '../support/redis-start.ts';

test('a host name that does not exist is told at start', async () => {
  await expectUnreachable('redis://redis.invalid:6379', /redis\.invalid/);
});
