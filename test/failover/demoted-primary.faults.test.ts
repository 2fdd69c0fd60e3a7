import { promises as dns } from 'node:dns';
import { connect, createServer } from 'node:net';
import { expect, test, vi } from 'vitest';
import { afterwards } from '../support/afterwards.ts';
import { connectUrl, startApp, type TestApp } from '../support/app.ts';
import { ask, signedIn } from '../support/client.ts';
import { password } from '../support/redis-password.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { isReplicated, replicated } from '../support/replication.ts';
import { startNode } from '../support/start-node.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { Visitor } from '../support/visitor.ts';

const patience = { timeout: 15_000, interval: 50 };

async function startPair(): Promise<{ primary: RedisServer; replica: RedisServer }> {
  const primary = await startNode(replicated);
  const replica = await startNode({ ...replicated, replicaof: `127.0.0.1 ${primary.port}` });
  await isReplicated(replica);
  return { primary, replica };
}

/** Exchanges the roles, as a hosted service does. Connections stay open. */
async function failOver(primary: RedisServer, replica: RedisServer): Promise<void> {
  await vi.waitFor(async () => {
    const offsets = [primary, replica].map((node) => node.client((admin) => admin.info('replication')));
    const [sent, received] = (await Promise.all(offsets)).map((info) => /master_repl_offset:(\d+)/.exec(info)?.[1]);
    expect(received).toBe(sent);
  }, patience);
  await replica.client((admin) => admin.sendCommand(['REPLICAOF', 'NO', 'ONE']));
  await primary.client((admin) => admin.sendCommand(['REPLICAOF', '127.0.0.1', String(replica.port)]));
}

const signInStatus = async ({ url }: TestApp) =>
  (await new Visitor(url).post('/login', { form: { email: 'bob@example.com' } })).status;
const readiness = async ({ url }: TestApp) => (await ask(url, 'get', '/readyz')).text;
const messages = ({ logged }: TestApp) => logged().map(({ msg }) => msg);
const clientsOf = async (node: RedisServer) =>
  (await node.client((admin) => admin.clientList())).filter(({ name }) => name === 'latchkey').length;

test('a name that leads to a new primary is followed, although the connection to the old one still works', async () => {
  const { primary, replica } = await startPair();
  const target = { host: '127.0.0.1', port: primary.port };
  const link = await startTcpProxy(target);
  afterwards(link.close);
  const app = await startApp({ redisAddress: { url: `redis://:${password}@127.0.0.1:${link.port}` } });
  const ann = await signedIn(app.url);

  await failOver(primary, replica);
  // The name still leads to the old primary.
  await expect.poll(() => readiness(app), patience).toBe('Redis refuses writes: READONLY\n');
  expect(await signInStatus(app)).toBe(503);
  expect((await ann.get('/admin')).text).toContain('Hello ann@example.com');

  // It keeps trying, one connection at a time.
  await expect.poll(link.accepted, patience).toBeGreaterThan(5);
  expect(link.connections()).toBeLessThan(4);

  target.port = replica.port;
  await expect.poll(() => readiness(app), patience).toBe('ok\n');
  expect(await signInStatus(app)).toBe(303);
  expect((await ann.post('/logout')).status).toBe(303);
  const changes = messages(app).filter((msg) => msg === 'Redis lost' || msg === 'Redis back');
  expect([changes[0], changes.at(-1)]).toEqual(['Redis lost', 'Redis back']);
  await app.close();
  await expect.poll(() => Promise.all([clientsOf(primary), clientsOf(replica)]), patience).toEqual([1, 0]);
});

test('a primary that is demoted and promoted again keeps its connection', async () => {
  const { primary, replica } = await startPair();
  const app = await startApp({ redisAddress: { url: primary.url } });
  await failOver(primary, replica);
  await expect.poll(() => readiness(app), patience).toMatch(/READONLY/);
  await expect.poll(() => messages(app), patience).toContain('Redis lost');
  await primary.client((admin) => admin.sendCommand(['REPLICAOF', 'NO', 'ONE']));
  await expect.poll(() => readiness(app), patience).toBe('ok\n');
  await expect.poll(() => messages(app), patience).toContain('Redis back');
});

test('a connection that is replaced while it still works answers what it was asked', async () => {
  const { primary, replica } = await startPair();
  const target = { host: '127.0.0.1', port: primary.port };
  const link = await startTcpProxy(target);
  afterwards(link.close);
  const client = await connectUrl(`redis://:${password}@127.0.0.1:${link.port}`);
  const [node] = await client.nodes();
  await failOver(primary, replica);
  await isReplicated(primary);

  // The old primary answers once it hears of an entry from the new one.
  const read = node?.sendCommand(['XREAD', 'BLOCK', '0', 'STREAMS', 'stream', '$']);
  target.port = replica.port;
  await expect.poll(() => clientsOf(replica), patience).toBe(1);
  await replica.client((admin) => admin.xAdd('stream', '*', { key: 'value' }));
  expect(JSON.stringify(await read)).toContain('"key","value"');
  await expect.poll(link.connections, patience).toBe(1);
  client.destroy();
});

test('of several addresses of a name, the one of the primary is used, also when that changes', async () => {
  const { primary, replica } = await startPair();
  // The replica is on the same port as the primary, of another address.
  const forwarder = createServer((near) => {
    const far = connect(replica.port, '127.0.0.1');
    near.on('error', () => far.destroy()).pipe(far);
    far.on('error', () => near.destroy()).pipe(near);
  });
  await new Promise<void>((done) => forwarder.listen(primary.port, '::1', done));
  afterwards(() => forwarder.close());
  resolveTo('redis.test', ['::1', '127.0.0.1']);

  const client = await connectUrl(`redis://:${password}@redis.test:${primary.port}`);
  const write = (value: string) => client.set('key', value).then(String, String);
  expect(await write('before')).toBe('OK');
  await failOver(primary, replica);
  await expect.poll(() => write('after'), patience).toBe('OK');
  expect(await replica.client((admin) => admin.get('key'))).toBe('after');
  client.destroy();
});

test('a replica alone stops the start, with the reason', async () => {
  const { replica } = await startPair();
  await expect(startApp({ redisAddress: { url: replica.url } })).rejects.toMatchObject({
    cause: { message: 'this Redis is a read-only replica, not the primary' },
  });
});

/** Lets a name have these addresses, until the end of this file. */
function resolveTo(name: string, addresses: string[]): void {
  const { lookup } = dns;
  const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  const fake = async (host: string, options: object) => (host === name ? found : lookup(host, options));
  Reflect.set(dns, 'lookup', fake);
  afterwards(() => {
    dns.lookup = lookup;
  });
}
