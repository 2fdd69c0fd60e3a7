import { ClientOfflineError } from 'redis';
import { expect, test, vi } from 'vitest';
import type { RedisClient } from '../../src/redis/client.ts';
import { deadlineMs, withDeadline } from '../../src/redis/deadline.ts';
import { afterwards } from '../support/afterwards.ts';
import { connectUrl } from '../support/app.ts';
import { freePort } from '../support/process.ts';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { loneNode, takeAllSlots } from './lone-node.ts';
import { startCluster } from './start-cluster.ts';

/** A silent connection is replaced before that, as by the 15 s that are Redis's default. */
const nodeTimeoutMs = 6000;

vi.setConfig({ testTimeout: 90_000 });

async function connectTo(url: string) {
  const redis = await connectUrl(url);
  afterwards(() => redis.destroy());
  return redis;
}

test('the successor of a primary that was silent for long is followed', async () => {
  const cluster = await startCluster(nodeTimeoutMs);
  const redis = await connectTo(cluster.url);
  const before = await cluster.ownerOf('key');

  before.signal('SIGSTOP');
  afterwards(() => before.signal('SIGCONT'));
  await expect.poll(() => cluster.ownerOf('key'), { timeout: 30_000, interval: 50 }).not.toBe(before);
  const written = () => withDeadline(deadlineMs, redis.set('key', 'value')).catch(String);
  await expect.poll(written, { interval: 50 }).toBe('OK');
});

/** A Cluster of one node, which names this link as its address. */
async function startBehindLink() {
  const target = { host: '127.0.0.1', port: await freePort() };
  const link = await startTcpProxy(target);
  afterwards(link.close);
  const announced = ['--cluster-announce-port', String(link.port)];
  const node = await takeAllSlots(await startRedisServer(password, [...(await loneNode()), ...announced]));
  target.port = node.port;
  return { link, node, redis: await connectTo(`redis+cluster://:${password}@127.0.0.1:${node.port}`) };
}

/** Why a write fails; undefined if its answer is late. */
const refusalBy = (redis: RedisClient) =>
  withDeadline(deadlineMs, redis.set('key', 'refused')).catch(({ cause }) => cause);

test('what is refused while a node is silent is refused at once in the end, and never carried out', async () => {
  const { link, redis } = await startBehindLink();
  await redis.set('key', 'before');

  link.blackHole();
  await expect.poll(() => refusalBy(redis)).toBeInstanceOf(ClientOfflineError);
  link.release();
  await expect.poll(() => withDeadline(deadlineMs, redis.get('key')).catch(String), { timeout: 20_000 }).toBe('before');
});

test('a first connection to a node may take longer than a request waits', async () => {
  const { link, node, redis } = await startBehindLink();
  const slow = await startTcpProxy({ host: '127.0.0.1', port: node.port });
  afterwards(slow.close);
  slow.delayMs = 1500;
  await node.client((admin) => admin.configSet('cluster-announce-port', String(slow.port)));
  link.blackHole();
  await expect.poll(slow.accepted).toBeGreaterThan(0);
  await expect.poll(() => refusalBy(redis)).toBeInstanceOf(ClientOfflineError);
  // It is sent what is asked once it is open, and answers too late.
  await expect.poll(() => refusalBy(redis), { timeout: 20_000 }).toBeUndefined();
  slow.delayMs = 0;
  await expect.poll(() => refusalBy(redis)).toBe('OK');
});

test('a node that was named at an address without an answer is found at the one that is named next', async () => {
  const { link, node, redis } = await startBehindLink();
  const silent = await startTcpProxy({ host: '127.0.0.1', port: node.port });
  afterwards(silent.close);
  silent.blackHole();
  const announce = ({ port }: { port: number }) =>
    node.client((admin) => admin.configSet('cluster-announce-port', String(port)));

  await announce(silent);
  link.blackHole();
  await expect.poll(silent.accepted).toBeGreaterThan(0);
  await expect.poll(() => refusalBy(redis)).toBeInstanceOf(ClientOfflineError);
  // It is tried again, whether or not there are commands for it.
  const tried = silent.accepted();
  await expect.poll(silent.accepted, { timeout: 20_000 }).toBeGreaterThan(tried + 1);
  await announce(link);
  link.release();
  const written = () => withDeadline(deadlineMs, redis.set('key', 'value')).catch(String);
  await expect.poll(written, { interval: 50 }).toBe('OK');
});
