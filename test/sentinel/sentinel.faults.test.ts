import { afterAll, expect, test, vi } from 'vitest';
import { connectUrl } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { contributed } from '../support/contributions.ts';
import { Load } from '../support/load.ts';
import { startServer } from '../support/process.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { sentinelUrl, startSentinel, startWatched } from './watched.ts';

// Replication is asynchronous: what a primary confirmed just before it died may not have reached a replica.
// `min-replicas-to-write` and `min-replicas-max-lag` bound how long one that is cut off goes on confirming.
const mayLoseMs = 200;
const failoverWithinMs = 30_000;

const patience = { timeout: 20_000, interval: 50 };

vi.setConfig({ testTimeout: 90_000 });

const redis = await startWatched();
const [firstSentinel, ...otherSentinels] = redis.sentinels;
if (!firstSentinel) throw new Error('no Sentinel');
const server = await startServer({ env: { REDIS_URL: redis.url } });
const ann = await signedIn(server.url());
const told = (message: string) => server.logged(message).length;
const table: Record<string, string | number>[] = [];
afterAll(() => console.table(table));

test('a primary or a Sentinel that cannot be used stops the start, with the reason', async () => {
  const replica = redis.nodes.at(-1);
  const misled = await startSentinel(replica?.port ?? 0, 'misled');
  const reasons = {
    [sentinelUrl([misled], 'misled')]: 'this Redis is a read-only replica, not the primary',
    [sentinelUrl(redis.sentinels, 'other')]: 'no Sentinel knows a primary named other',
    [redis.url.replace('sentinel_password=', 'sentinel_password=not-')]: expect.stringMatching(/^WRONGPASS/),
    [redis.url.replace('sentinel://:', 'sentinel://:not-')]: expect.stringMatching(/^WRONGPASS/),
  };
  // A busy machine may run out of time before there is a reason.
  const isRefused = ([url, message]: [string, unknown]) =>
    vi.waitFor(() => expect(connectUrl(url)).rejects.toMatchObject({ cause: { message } }), patience);
  await Promise.all(Object.entries(reasons).map(isRefused)).finally(misled.kill);
});

/** Loses the primary under load, and checks what visitors met. */
async function failOver(name: string, lose: (primary: RedisServer) => unknown): Promise<RedisServer> {
  const load = new Load(server.url());
  await load.start(50);
  await vi.waitFor(() => expect(load.figures.requests).toBeGreaterThan(20), { timeout: 20_000 });
  const before = await vi.waitFor(() => redis.primary(), patience);
  const lostAt = Date.now();
  await lose(before);
  const switched = async () => {
    const primary = await redis.primary();
    expect(primary).not.toBe(before);
    // It refuses writes until a replica has followed it.
    expect(await primary.client((client) => client.info('replication'))).toMatch(/min_slaves_good_slaves:[1-9]/);
  };
  await vi.waitFor(switched, { timeout: failoverWithinMs, interval: 50 });
  const engineMs = Date.now() - lostAt;
  const backMs = await load.untilServed();
  await load.stop();

  const { live, ended, lost, revived } = await load.audit({ from: lostAt - mayLoseMs, to: lostAt });
  const { requests, refused, slowestMs } = load.figures;
  table.push({
    fault: name,
    requests,
    '503': refused,
    'slowest ms': Math.round(slowestMs),
    "Redis's failover ms": engineMs,
    'and back after ms': Math.round(backMs),
    'sessions lost': `${lost} of ${live}`,
    'logouts undone': `${revived} of ${ended}`,
  });
  expect(load.complaints).toEqual([]);
  load.requirePromptness(backMs);
  expect({ lost, revived }).toEqual({ lost: 0, revived: 0 });
  return before;
}

/** What a Sentinel does by itself 8 s after an old primary has come back. */
async function rejoin(node: RedisServer): Promise<void> {
  const { port } = await vi.waitFor(() => redis.primary(node), patience);
  await node.client((client) => client.sendCommand(['REPLICAOF', '127.0.0.1', String(port)]));
  await redis.isReplicated(node);
}

/** Waits for as many commands of the app, which sends two each time, and a ping in between. */
function isAskedThreeTimes(sentinel: RedisServer): Promise<void> {
  return sentinel.client(async (client) => {
    let own = 0;
    const commandsOfOthers = async () => {
      own += 1;
      return Number(/total_commands_processed:(\d+)/.exec(await client.info('stats'))?.[1]) - own;
    };
    const before = await commandsOfOthers();
    await expect.poll(commandsOfOthers, { timeout: 20_000 }).toBeGreaterThan(before + 7);
  });
}

async function annIsServed(): Promise<void> {
  expect((await ann.get('/admin')).text).toContain('Hello ann@example.com');
}

test.each(await contributed('redis-uses'))('what $feature keeps works as well', async ({ module }) => {
  const client = await connectUrl(redis.url);
  await module.useRedis(client);
  await client.close();
});

test('a primary killed under load is replaced, and no session is lost', async () => {
  await firstSentinel.kill();
  const before = await failOver('primary killed', (primary) => primary.kill());
  await expect.poll(() => [told('Redis lost'), told('Redis failed over'), told('Redis back')]).toEqual([1, 1, 1]);

  // The only Sentinel that answers is the one that missed the failover, and its primary is one again, for now.
  await Promise.all(otherSentinels.map((sentinel) => sentinel.kill()));
  await Promise.all([before.start(), firstSentinel.start()]);
  await isAskedThreeTimes(firstSentinel);
  await annIsServed();
  expect(told('Redis failed over')).toBe(1);
  await Promise.all(otherSentinels.map((sentinel) => sentinel.start()));
  await rejoin(before);
});

test('so is one that freezes, and it is ignored when it thaws', async () => {
  // A frozen Sentinel must not delay the answers of the others.
  firstSentinel.signal('SIGSTOP');
  const before = await failOver('primary frozen', (primary) => primary.signal('SIGSTOP'));
  firstSentinel.signal('SIGCONT');
  before.signal('SIGCONT');
  await vi.waitFor(() => before.client((client) => client.ping()), patience);
  await annIsServed();
  await expect.poll(() => told('Redis failed over')).toBe(2);
  await rejoin(before);
});

test('without any Sentinel the sessions go on, which is logged once', async () => {
  const before = told('Sentinels lost');
  await Promise.all(redis.sentinels.map((sentinel) => sentinel.kill()));
  await expect.poll(() => told('Sentinels lost'), { timeout: 20_000 }).toBe(before + 1);
  await annIsServed();
  await Promise.all(redis.sentinels.map((sentinel) => sentinel.start()));
  await expect.poll(() => told('Sentinels back'), { timeout: 20_000 }).toBe(before + 1);
  expect(told('Sentinels lost')).toBe(before + 1);
});

test('after all of that the server shuts down cleanly', async () => {
  process.kill(server.pid, 'SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
  expect(server.printed()).not.toMatch(/nobody caught|took too long/);
});
