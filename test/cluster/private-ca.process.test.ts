import { test } from 'vitest';
import { password } from '../support/redis-password.ts';
import { expectTrustedOnlyWith, startTls } from '../support/redis-tls.ts';
import { loneNode, takeAllSlots } from './lone-node.ts';

test('rediss+cluster reaches a Cluster with the CA in CA_FILE, and none whose CA is unknown', async () => {
  const { tlsPort, certificate } = await takeAllSlots(await startTls([...(await loneNode()), '--tls-cluster', 'yes']));
  await expectTrustedOnlyWith(`rediss+cluster://:${password}@127.0.0.1:${tlsPort}`, certificate);
});
