import { expect, test } from 'vitest';
import { sessionKey, tagIn, tagOf } from '../../src/session/session-id.ts';
import { expectEnd, listen } from '../live-tabs/listener.ts';
import { signedIn } from '../support/client.ts';
import { startServer } from '../support/process.ts';
import { startCluster } from './start-cluster.ts';

test('on a Cluster, each end is heard of by every process, and by the node of its session alone', async () => {
  const { url: redisUrl, nodes, ownerOf, ownersBut, moveSlotOf } = await startCluster();
  const env = {
    REDIS_URL: redisUrl,
    SESSION_SECRET: 'a secret for live tabs of 32 characters and more',
    SIGN_IN: 'trust',
  };
  const [here, there] = await Promise.all([startServer({ env }), startServer({ env })]);
  const addresses = Array.from({ length: 6 }, (_, number) => `visitor${number}@example.com`);
  const visitors = await Promise.all(addresses.map((email) => signedIn(here.url(), email)));
  const [staying = '', ...ending] = addresses;
  const small = await startServer({ env: { ...env, LIVE_TABS_MAX: '2' } });
  const burst = await Promise.all(visitors.map((visitor) => listen(small.url(), visitor)));
  expect(burst.map(({ status }) => status).sort()).toEqual([200, 200, 503, 503, 503, 503]);
  for (const { leave } of burst) leave();

  const listeners = await Promise.all(visitors.map((visitor) => listen(here.url(), visitor)));
  for (const [index, visitor] of visitors.slice(1).entries()) {
    await visitor.copy(there.url()).post('/logout');
    const listener = listeners[index + 1];
    if (listener) await expectEnd(listener, ending[index]);
  }
  const [left, kept] = [listeners[0], visitors[0]];
  if (!left || !kept) throw new Error('nobody is left');
  expect([left.isOpen(), left.owners()]).toEqual([true, [tagOf(staying)]]);

  const channel = `{${tagIn(kept.sessionId)}}ended`;
  const channelsOf = (node: (typeof nodes)[number]) => node.client((client) => client.pubSubShardChannels());
  const key = sessionKey(kept.sessionId);
  // Those of the others have been given up.
  await expect.poll(async () => channelsOf(await ownerOf(key))).toEqual([channel]);
  const others = await ownersBut(key);
  await expect.poll(async () => (await Promise.all(others.map(channelsOf))).flat()).toEqual([]);

  const [to] = others;
  if (!to) throw new Error('there is one primary');
  await moveSlotOf(key, to);
  await expect.poll(() => channelsOf(to), { timeout: 10_000 }).toEqual([channel]);
  await kept.copy(there.url()).post('/logout');
  await expectEnd(left, staying);
});
