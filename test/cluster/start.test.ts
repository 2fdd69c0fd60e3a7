import { expect, test } from 'vitest';
import { redisPermissions } from '../../src/config.ts';
import { clusterPermissions } from '../../src/features/cluster/url.ts';
import { checkWritable } from '../../src/redis/client.ts';
import { aclRule } from '../../src/redis/permissions.ts';
import { connectUrl } from '../support/app.ts';
import { contributed } from '../support/contributions.ts';
import { freePort } from '../support/process.ts';
import { password } from '../support/redis-nodes.ts';
import { type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { expectUnreachable } from '../support/redis-start.ts';
import { expectTrustedOnlyWith, startTls } from '../support/redis-tls.ts';

/** Options for a Cluster of one node. A node learns its own address from others, so it has to be told. */
async function loneNode(): Promise<string[]> {
  const options = ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())];
  return [...options, '--cluster-announce-ip', '127.0.0.1'];
}

async function takeAllSlots<Node extends RedisServer>(node: Node): Promise<Node> {
  await node.client((admin) => admin.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '0', '16383']));
  await expect.poll(() => node.client((admin) => admin.clusterInfo()), { timeout: 8000 }).toContain('cluster_state:ok');
  return node;
}

test('a Cluster that is not there stops the start, with the reason', async () => {
  await expectUnreachable(`redis+cluster://127.0.0.1:${await freePort()}`, /ECONNREFUSED/);
});

test('so does a Redis that is no Cluster', async () => {
  const { port } = await startRedisServer(password);
  await expectUnreachable(`redis+cluster://:${password}@127.0.0.1:${port}`, /cluster support disabled/);
});

test('rediss+cluster reaches a Cluster with the CA in CA_FILE, and none whose CA is unknown', async () => {
  const { tlsPort, certificate } = await takeAllSlots(await startTls([...(await loneNode()), '--tls-cluster', 'yes']));
  await expectTrustedOnlyWith(`rediss+cluster://:${password}@127.0.0.1:${tlsPort}`, certificate);
});

test('a write that was refused while a node was away is not carried out when it is back', async () => {
  const node = await takeAllSlots(await startRedisServer(password, await loneNode()));
  const redis = await connectUrl(`redis+cluster://:${password}@127.0.0.1:${node.port}`);
  await node.kill();
  await expect(redis.set('key', 'value')).rejects.toThrow();
  await node.start();
  await expect.poll(() => checkWritable(redis).then(() => 'writable', String), { timeout: 15_000 }).toBe('writable');
  expect(await redis.get('key')).toBeNull();
  redis.destroy();
});

test('the documented permissions are enough, and each that a Cluster adds is missed at start', async () => {
  const node = await takeAllSlots(await startRedisServer(password, await loneNode()));
  const rule = aclRule([...redisPermissions, clusterPermissions], 'latchkey:');
  const env = { REDIS_KEY_PREFIX: 'latchkey:' };
  const urlWith = async (...rules: string[]) => {
    await node.client((admin) => admin.aclSetUser('ann', ['reset', 'on', '>secret', ...rules.join(' ').split(' ')]));
    return `redis+cluster://ann:secret@127.0.0.1:${node.port}`;
  };
  const redis = await connectUrl(await urlWith(rule), undefined, env);
  for (const { module } of await contributed('redis-uses')) await module.useRedis(redis);
  await redis.close();
  const denied = await node.client((admin) => admin.aclLog());
  expect(denied.map(({ object }) => object).filter((object) => !/^(info|config\|get)$/.test(object))).toEqual([]);

  await expect(connectUrl(await urlWith(rule, '-asking', '-ping'), undefined, env)).rejects.toMatchObject({
    problems: [expect.stringContaining('may not use asking, ping;')],
  });
  await expectUnreachable(await urlWith(rule, '-cluster|slots'), /cluster\|slots/);
});
