import { expect, test } from 'vitest';
import { startServer } from '../support/process.ts';

test('warns of trusted proxies that are ranges, whose visitors can forge X-Forwarded-For', async () => {
  const server = await startServer({ env: { TRUST_PROXY: '10.0.0.0/8, 192.0.2.7' } });
  expect(server.logged().find(({ ranges }) => ranges !== undefined)).toMatchObject({
    level: 40,
    ranges: ['10.0.0.0/8'],
    msg: expect.stringMatching(/can forge X-Forwarded-For; name a number of proxies, or their exact addresses/),
  });
});
