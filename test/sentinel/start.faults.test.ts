import { test } from 'vitest';
import { freePort } from '../support/process.ts';
import { expectUnreachable } from '../support/redis-start.ts';

test('Sentinels that are not there stop the start, with the reason', async () => {
  await expectUnreachable(`redis+sentinel://127.0.0.1:${await freePort()}/mymaster`, /ECONNREFUSED/);
});
