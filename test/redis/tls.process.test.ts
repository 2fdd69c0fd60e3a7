import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { certificateFor } from '../support/certificate.ts';
import { signedIn } from '../support/client.ts';
import { freePort, newDirectory, startServer } from '../support/process.ts';
import { type RedisServer, startRedisServer } from '../support/redis-server.ts';

const password = 'of-the-operator';
const directory = newDirectory('tls-');
const certificate = certificateFor('127.0.0.1');
const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
writeFileSync(files.cert, certificate.cert);
writeFileSync(files.key, certificate.key);

type TlsServer = RedisServer & { tlsPort: number };

async function startTls(args: string[] = [], configFile?: string): Promise<TlsServer> {
  const tlsPort = await freePort();
  const names = ['--tls-cert-file', files.cert, '--tls-key-file', files.key, '--tls-ca-cert-file', files.cert];
  const settings = ['--tls-port', String(tlsPort), ...names, '--tls-auth-clients', 'no', '--tls-replication', 'yes'];
  return { ...(await startRedisServer(password, [...settings, ...args], configFile)), tlsPort };
}

async function startOne(): Promise<string> {
  return `rediss://:${password}@127.0.0.1:${(await startTls()).tlsPort}`;
}

async function startWatched(): Promise<string> {
  const { tlsPort } = await startTls();
  const configFile = join(newDirectory('tls-sentinel-'), 'sentinel.conf');
  writeFileSync(configFile, `sentinel monitor one 127.0.0.1 ${tlsPort} 1\nsentinel auth-pass one ${password}\n`);
  const sentinel = await startTls(['--sentinel'], configFile);
  return `rediss+sentinel://:${password}@127.0.0.1:${sentinel.tlsPort}/one?sentinel_password=${password}`;
}

async function startCluster(): Promise<string> {
  const cluster = ['--cluster-enabled', 'yes', '--tls-cluster', 'yes', '--cluster-port', String(await freePort())];
  // A node learns its own address from others.
  const node = await startTls([...cluster, '--cluster-announce-ip', '127.0.0.1']);
  await node.client((client) => client.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '0', '16383']));
  const state = () => node.client((client) => client.clusterInfo());
  await expect.poll(state, { timeout: 8000 }).toContain('cluster_state:ok');
  return `rediss+cluster://:${password}@127.0.0.1:${node.tlsPort}`;
}

test.each([
  ['one Redis', startOne],
  ['the primary that Sentinels know', startWatched],
  ['a Cluster', startCluster],
])('rediss reaches %s over TLS, whose certificate is checked', async (_what, start) => {
  const env = { REDIS_URL: await start() };
  const trusting = await startServer({ env: { ...env, NODE_EXTRA_CA_CERTS: files.cert } });
  expect((await (await signedIn(trusting.url())).get('/admin')).status).toBe(200);
  await expect(startServer({ env })).rejects.toThrow(/self[- ]signed certificate/);
});
