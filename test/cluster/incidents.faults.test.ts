import { expect, test } from 'vitest';
import { cliSecret, latchkeyOn } from '../cli/run-latchkey.ts';
import { signedIn } from '../support/client.ts';
import { startServer } from '../support/process.ts';
import { startCluster } from './start-cluster.ts';

const { url: redisUrl, nodes, ownerOf } = await startCluster();

test('doctor says that a single shard refuses writes', async () => {
  const doctor = async () => {
    const { findings } = (await latchkeyOn(redisUrl)('doctor')).json as {
      findings: { what: string; problem?: string }[];
    };
    return findings.find(({ what }) => what === 'writes to Redis')?.problem;
  };
  expect(await doctor()).toBeUndefined();
  const shard = await ownerOf('ready0');
  await shard.client((client) => client.configSet({ 'min-replicas-to-write': '2' }));
  expect(await doctor()).toContain('NOREPLICAS');
  await shard.client((client) => client.configSet({ 'min-replicas-to-write': '0' }));
});

test('the commands reach the sessions on every primary of a Cluster, and the cut-off every process', async () => {
  const env = { REDIS_URL: redisUrl, SESSION_SECRET: cliSecret };
  const servers = await Promise.all([startServer({ env }), startServer({ env })]);
  const addresses = Array.from({ length: 12 }, (_, number) => `visitor${number}@example.com`);
  const visitors = await Promise.all(addresses.map((email, at) => signedIn(servers[at % 2]?.url() ?? '', email)));
  const latchkey = latchkeyOn(redisUrl);

  expect((await latchkey('count')).json).toMatchObject({ sessions: 12, addresses: 12 });
  expect((await latchkey('sessions', 'visitor3@example.com')).json).toMatchObject({ sessions: [{}] });
  expect((await latchkey('end', 'visitor3@example.com')).json).toMatchObject({ ended: 1 });
  expect((await latchkey('end', '--everyone')).json).toMatchObject({ ended: 11 });
  for (const visitor of visitors) expect((await visitor.get('/admin')).status).toBe(401);
  const left = await Promise.all(nodes.map((node) => node.client((client) => client.keys('{??????????????}*'))));
  expect(left.flat()).toEqual([]);
  const told = () => servers.flatMap((server) => server.logged('operator command')).map(({ command }) => command);
  // Either process may have logged either of them.
  await expect.poll(() => told().sort(), { timeout: 10_000 }).toEqual(['end', 'end --everyone']);
});
