import { test } from 'vitest';
import { freePort } from '../support/process.ts';
import { expectUnreachable } from '../support/redis-start.ts';

test('a host that refuses is told at start', async () => {
  await expectUnreachable(`redis://[::1]:${await freePort()}`, /ECONNREFUSED/);
});
