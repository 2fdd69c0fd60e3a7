import { afterAll, describe, expect, test, vi } from 'vitest';
import { indexKey, tagOf } from '../../src/session/session-id.ts';
import { connectUrl } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { contributed } from '../support/contributions.ts';
import { Load } from '../support/load.ts';
import { startServer } from '../support/process.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { Visitor } from '../support/visitor.ts';
import { startCluster } from './start-cluster.ts';

// Replication is asynchronous, see sentinel.faults.test.ts.
const mayLoseMs = 200;
const failoverWithinMs = 30_000;

vi.setConfig({ testTimeout: 90_000 });

const cluster = await startCluster();
const server = await startServer({ env: { REDIS_URL: cluster.url } });
const keyOf = (email: string) => indexKey(tagOf(email));
const told = (message: string) => server.logged(message).length;
const table: Record<string, string | number>[] = [];
afterAll(() => console.table(table));

/** Does something to the Cluster under load, and checks what visitors met. */
async function underLoad(name: string, happens: () => Promise<{ mayLose: { from: number; to: number } }>) {
  const load = new Load(server.url());
  await load.start(50);
  await vi.waitFor(() => expect(load.figures.requests).toBeGreaterThan(20), { timeout: 20_000 });
  const beganAt = performance.now();
  const { mayLose } = await happens();
  const engineMs = performance.now() - beganAt;
  const backMs = await load.untilServed();
  await load.stop();

  const { live, ended, lost, revived } = await load.audit(mayLose);
  const { requests, refused, slowestMs } = load.figures;
  table.push({
    event: name,
    requests,
    '503': refused,
    'slowest ms': Math.round(slowestMs),
    "the Cluster's own ms": Math.round(engineMs),
    'and back after ms': Math.round(backMs),
    'sessions lost': `${lost} of ${live}`,
    'logouts undone': `${revived} of ${ended}`,
  });
  expect(load.complaints).toEqual([]);
  load.requirePromptness(backMs);
  expect({ lost, revived }).toEqual({ lost: 0, revived: 0 });
}

/** The load asks for this address to see whether it is served. */
const probed = keyOf('probe@example.com');

async function failOver(lose: (primary: RedisServer) => unknown) {
  const before = await cluster.ownerOf(probed);
  const lostAt = Date.now();
  await lose(before);
  const moved = async () => expect(await cluster.ownerOf(probed)).not.toBe(before);
  await vi.waitFor(moved, { timeout: failoverWithinMs, interval: 50 });
  return { before, mayLose: { from: lostAt - mayLoseMs, to: lostAt } };
}

test('visitors sign in, see and end their sessions, and log out', async () => {
  const [one, two, three] = [await signedIn(server.url()), await signedIn(server.url()), await signedIn(server.url())];
  expect((await one.get('/admin')).text.match(/name="session"/g)).toHaveLength(2);
  expect((await one.post('/admin/end-other-sessions')).status).toBe(303);
  expect([(await two.get('/admin')).status, (await three.get('/admin')).status]).toEqual([401, 401]);
  expect((await one.post('/logout')).status).toBe(303);
});

test.each(await contributed('redis-uses'))('what $feature keeps works as well', async ({ module }) => {
  const client = await connectUrl(cluster.url);
  await module.useRedis(client);
  await client.close();
});

describe('a slot that moves to another node', () => {
  test('signs nobody out while half of its keys have moved', async () => {
    const email = 'moving@example.com';
    const visitors = await Promise.all([1, 2, 3].map(() => signedIn(server.url(), email)));
    const [from, others] = [await cluster.ownerOf(keyOf(email)), await cluster.ownersBut(keyOf(email))];
    const [to] = others;
    if (!to) throw new Error('nowhere to go');
    await cluster.moveSlotOf(keyOf(email), to, async () => {
      for (const visitor of visitors) expect((await visitor.get('/')).text).toContain(email);
      // What needs keys of both halves at once has to wait until they are together.
      expect((await visitors[0]?.get('/admin'))?.status).toBe(503);
      expect((await visitors[0]?.post('/logout'))?.status).toBe(503);
      expect((await new Visitor(server.url()).post('/login', { form: { email } })).status).toBe(503);
    });
    expect(await cluster.ownerOf(keyOf(email))).not.toBe(from);
    for (const visitor of visitors) expect((await visitor.get('/admin')).text).toContain(`Hello ${email}`);
    expect((await visitors[0]?.post('/logout'))?.status).toBe(303);
  });

  test('costs no session under load', async () => {
    await underLoad('slots moved', async () => {
      // Those of visitors that the load brings.
      for (const count of [2, 4, 6, 8]) {
        const key = keyOf(`visitor-${count}@example.com`);
        const [to] = await cluster.ownersBut(key);
        if (to) await cluster.moveSlotOf(key, to);
      }
      return { mayLose: { from: 0, to: 0 } };
    });
    expect(told('Redis lost')).toBe(0);
  });
});

test('a primary killed under load is replaced, and no session is lost', async () => {
  await underLoad('primary killed', async () => {
    const { before, mayLose } = await failOver((primary) => primary.kill());
    await before.start();
    return { mayLose };
  });
  await expect.poll(() => told('Redis back'), { timeout: 20_000 }).toBe(1);
  expect(told('Redis lost')).toBe(1);
});

test('so is one that freezes', async () => {
  let frozen: RedisServer | undefined;
  await underLoad('primary frozen', async () => {
    const { before, mayLose } = await failOver((primary) => primary.signal('SIGSTOP'));
    frozen = before;
    return { mayLose };
  });
  frozen?.signal('SIGCONT');
  await expect.poll(() => told('Redis back'), { timeout: 20_000 }).toBe(2);
  expect(told('Redis lost')).toBe(2);
});

test('after all of that the server shuts down cleanly', async () => {
  process.kill(server.pid, 'SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
  expect(server.printed()).not.toMatch(/nobody caught|took too long/);
});
