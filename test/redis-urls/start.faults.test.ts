import { expect, test } from 'vitest';
import { connectUrl } from '../support/app.ts';
import { freePort } from '../support/process.ts';

test('a host that refuses is told at start', async () => {
  await expect(connectUrl(`redis://[::1]:${await freePort()}`)).rejects.toMatchObject({
    cause: { code: 'ECONNREFUSED' },
  });
});
