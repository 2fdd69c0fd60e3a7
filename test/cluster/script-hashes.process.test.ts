import { expect, test } from 'vitest';
import { afterwards } from '../support/afterwards.ts';
import { connectUrl } from '../support/app.ts';
import { startCluster } from './start-cluster.ts';

test('each node of a Cluster is sent the text of a script once', async () => {
  const { url, ownerOf } = await startCluster();
  const client = await connectUrl(url);
  afterwards(() => client.destroy());
  // Each in the slots of another node.
  const keys = ['a', 'b', 'c'];
  const owners = await Promise.all(keys.map(ownerOf));
  expect(new Set(owners).size).toBe(3);
  for (const owner of owners) await owner.client((admin) => admin.configResetStat());
  const script = "return redis.call('INCR', KEYS[1])";
  for (let time = 1; time <= 3; time += 1) {
    for (const key of keys) expect(await client.eval(script, { keys: [key], arguments: [] })).toBe(time);
  }
  for (const owner of owners) {
    expect(await owner.client((admin) => admin.info('commandstats'))).toMatch(/^cmdstat_eval:calls=1,/m);
  }
});
