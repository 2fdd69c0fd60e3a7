import { expect, test } from 'vitest';
import { OpenedSites } from '../../src/features/gate/opened-sites.ts';
import { openSites } from '../../src/features/gate/sites.ts';
import { browserOf, newRandom, Tickets } from '../../src/features/gate/tickets.ts';
import { newSessionId, sessionKey, tagOf } from '../../src/session/session-id.ts';
import { latchkeyOn } from '../cli/run-latchkey.ts';
import { connectNode, connectUrl } from '../support/app.ts';
import { testRedis } from '../support/test-redis.ts';

test('the sites that a session has opened, and its tickets, are exported and forgotten', async () => {
  const redisAddress = await testRedis();
  const url = `unix://${redisAddress.socketPath}`;
  const [client, node] = [await connectUrl(url), await connectNode(redisAddress)];
  const [site] = openSites([{ origin: 'https://wiki.example.net', visitors: undefined }]).values();
  if (!site) throw new Error('there is no site');
  for (const email of ['ann@example.com', 'bob@example.com']) {
    const sessionId = newSessionId(tagOf(email));
    await client.set(sessionKey(sessionId), 'a session');
    await new OpenedSites(client).note(sessionId, site.origin, Date.now() + 60_000);
    await new Tickets(client).issue({ sessionId, browser: browserOf(newRandom()), site });
  }
  client.destroy();

  const latchkey = latchkeyOn(url);
  expect((await latchkey('export', 'ann@example.com')).json).toMatchObject({
    held: {
      'opened sites': [{ session: expect.stringMatching(/^[\w-]{16}$/), sites: [site.origin] }],
      'tickets for sites': [{ site: site.origin }],
    },
  });
  await latchkey('forget', 'ann@example.com');
  const left = await node.keys('*');
  expect(left.filter((key) => key.includes(tagOf('ann@example.com')))).toEqual([]);
  expect(await node.keys('g:*')).toHaveLength(1);
  expect(left.some((key) => key.includes(tagOf('bob@example.com')))).toBe(true);
});
