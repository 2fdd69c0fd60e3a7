import { expect, test } from 'vitest';
import { signedIn } from '../support/client.ts';
import { freePort, startServer } from '../support/process.ts';
import { startCluster } from './start-cluster.ts';

test('live sessions are counted on every primary of a Cluster', async () => {
  const { url } = await startCluster();
  const env = { REDIS_URL: url, SESSION_SECRET: 'a secret of the operator of 32 characters and more' };
  const server = await startServer({ env });
  const addresses = Array.from({ length: 9 }, (_, number) => `visitor${number}@example.com`);
  await Promise.all(addresses.map((email) => signedIn(server.url(), email)));

  const port = await freePort();
  await startServer({ env: { ...env, METRICS_PORT: String(port) } });
  const metrics = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  await expect.poll(metrics, { timeout: 10_000 }).toMatch(/^latchkey_sessions 9$/m);
});
