import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Blocks } from '../../src/features/incidents/blocks.ts';
import { networkName, readNetwork } from '../../src/features/incidents/network.ts';
import type { RedisClient } from '../../src/redis/client.ts';
import { latchkeyOn } from '../cli/run-latchkey.ts';
import { connectUrl, startApp } from '../support/app.ts';
import { commandsFor } from '../support/commands.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

const redisAddress = await testRedis();
const app = await startApp({ redisAddress, env: { TRUST_PROXY: '1', SIGN_INS_PER_DAY: '2' } });
const latchkey = latchkeyOn(`unix://${redisAddress.socketPath}`);
const commandsLogged = () => app.logged().filter(({ msg }) => msg === 'operator command').length;

/** Runs a command, and waits until the app has been told of it. */
async function change(...words: string[]): ReturnType<typeof latchkey> {
  const before = commandsLogged();
  const answer = await latchkey(...words);
  await expect.poll(commandsLogged).toBeGreaterThan(before);
  return answer;
}

const from = (ip: string, headers = {}) => new Visitor(app.url, { 'X-Forwarded-For': ip, ...headers });
const signIn = async (visitor: Visitor) =>
  (await visitor.post('/login', { form: { email: 'ann@example.com' } })).status;

test('nobody signs in from a blocked network, for as long as it is blocked; sessions go on', async () => {
  const ann = from('198.51.100.7');
  expect(await signIn(ann)).toBe(303);
  expect((await change('block', '198.51.100.0/24', '--for', '1h')).text).toMatch(
    /^Nobody can sign in from 198\.51\.100\.0\/24 until /,
  );
  expect(await signIn(ann)).toBe(403);
  expect((await ann.get('/admin')).status).toBe(200);
  expect((await ann.get('/login')).status).toBe(303);
  expect(await signIn(from('198.51.101.7'))).toBe(303);
  expect(app.logged().find(({ reason }) => reason === 'blocked')).toMatchObject({ msg: 'sign-in refused' });
  const [{ until }] = ((await latchkey('blocks')).json as { blocks: [{ network: string; until: Date }] }).blocks;
  expect(Math.abs(until.valueOf() - Date.now() - 3_600_000)).toBeLessThan(60_000);
  expect((await change('unblock', '198.51.100.9')).json).toMatchObject({
    wasBlocked: false,
    stillIn: ['198.51.100.0/24'],
  });
  expect(await signIn(ann)).toBe(403);
  expect((await change('unblock', '198.51.100.0/24')).json).toMatchObject({ wasBlocked: true, stillIn: [] });
  expect(await signIn(ann)).toBe(303);
});

test('unblocking a range names the blocks around it and inside it, which still hold', async () => {
  const networks = ['203.0.112.0/20', '203.0.113.0', '203.0.113.0/25', '203.0.113.77', '203.0.114.1'];
  for (const network of networks) await change('block', network);
  const { text, json } = await change('unblock', '203.0.113.0/24');
  const [around = '', ...inside] = networks.slice(0, 4);
  expect(json).toMatchObject({ wasBlocked: false, stillIn: [around], stillBlocked: expect.arrayContaining(inside) });
  expect(json).toHaveProperty('stillBlocked.length', inside.length);
  expect(text).toContain(`It is still in ${around}, which is blocked: unblock that.\n`);
  for (const network of inside) {
    expect(text).toContain(`${network} is inside it and is still blocked: unblock that as well.\n`);
  }
  for (const network of networks) await change('unblock', network);
});

test('what is blocked, and not what was, is listed also while Redis refuses to write', async () => {
  await change('block', '203.0.113.9');
  const ended = readNetwork('203.0.113.8');
  if (ended) await app.redis.zAdd('blocks', { value: networkName(ended), score: Date.now() - 60_000 });
  await app.redis.configSet('min-replicas-to-write', '1');
  try {
    const { blocks } = (await latchkey('blocks')).json as { blocks: { network: string }[] };
    const networks = blocks.map(({ network }) => network);
    expect(networks).toContain('203.0.113.9');
    expect(networks).not.toContain('203.0.113.8');
  } finally {
    await app.redis.configSet('min-replicas-to-write', '0');
  }
  await change('unblock', '203.0.113.9');
});

test('the answer fits the client, and says that it is the network', async () => {
  await change('block', '2001:db8:1::/48');
  const visitor = from('2001:db8:1:2::3', { Accept: 'text/html' });
  const page = await visitor.post('/login', { form: { email: 'ann@example.com' } });
  expect(page).toMatchObject({ status: 403, text: expect.stringContaining('from your network') });
  const json = await visitor.post('/login', {
    json: { email: 'ann@example.com' },
    headers: { Accept: 'application/json' },
  });
  expect(JSON.parse(json.text)).toMatchObject({ error: expect.stringContaining('from your network') });
});

test('a block is asked about before anything is counted, and on a sign-in only', async () => {
  await change('block', '192.0.2.1', '--for', '1m');
  const blocked = from('192.0.2.1');
  for (let tries = 0; tries < 4; tries += 1) expect(await signIn(blocked)).toBe(403);
  expect(await app.redis.keys('l:*192.0.2.1*')).toEqual([]);
  await change('unblock', '192.0.2.1');
  expect([await signIn(blocked), await signIn(blocked), await signIn(blocked)]).toEqual([303, 303, 429]);
});

/** Blocks without telling anybody, as a command that was cut off does. */
async function blockOn(client: RedisClient, ip: string): Promise<void> {
  const network = readNetwork(ip);
  if (network) await new Blocks(client).add(network, 60);
}

describe('while nothing is blocked', () => {
  test('only the first sign-in asks about it', async () => {
    const other = await startApp({ redisAddress });
    onTestFinished(other.close);
    const signInThere = () => new Visitor(other.url).signIn('ann@example.com');
    const form = { email: 'ann@example.com' };
    await app.redis.del('blocks');
    await signInThere();
    expect(await commandsFor(app.redis, signInThere)).not.toHaveProperty('exists');
    await latchkey('block', '127.0.0.1', '--for', '1m');
    await expect.poll(async () => (await new Visitor(other.url).post('/login', { form })).status).toBe(403);
    await expect.poll(() => app.redis.lLen('operator-log')).toBe(0);
    await app.redis.del('blocks');
    expect(await commandsFor(app.redis, signInThere)).toMatchObject({ exists: '1' });
    expect(await commandsFor(app.redis, signInThere)).not.toHaveProperty('exists');
  });

  test('a process that nobody tells of blocks asks every time', async () => {
    const client = await connectUrl(`unix://${redisAddress.socketPath}`);
    const blocks = new Blocks(client);
    blocks.follow(Promise.reject(new Error('the channel is not permitted')));
    onTestFinished(() => client.destroy());
    expect(await blocks.isBlocked('192.0.2.77')).toBe(false);
    await blockOn(client, '192.0.2.77');
    expect(await blocks.isBlocked('192.0.2.77')).toBe(true);
  });

  test('a reply from before a change is not relied on', async () => {
    const client = await connectUrl(`unix://${redisAddress.socketPath}`);
    onTestFinished(() => client.destroy());
    await app.redis.del('blocks');
    const blocks = new Blocks(client);
    blocks.follow(Promise.resolve());
    expect(await blocks.isBlocked('192.0.2.78')).toBe(false);
    blocks.mayHaveChanged();
    const asked = blocks.isBlocked('192.0.2.78');
    blocks.mayHaveChanged();
    expect(await asked).toBe(false);
    await blockOn(client, '192.0.2.78');
    expect(await blocks.isBlocked('192.0.2.78')).toBe(true);
  });
});

test('unblocking a client gives it its attempts back, and no other', async () => {
  const [one, other] = [from('192.0.2.10'), from('192.0.2.100')];
  for (const visitor of [one, other]) for (let tries = 0; tries < 3; tries += 1) await signIn(visitor);
  expect((await change('unblock', '192.0.2.10')).json).toMatchObject({ counters: 1 });
  expect([await signIn(one), await signIn(other)]).toEqual([303, 429]);
});

test('unblocking the /64 of a client of IPv6, as the hint names it, gives the client its attempts back', async () => {
  const client = from('2001:db8:5:6::7');
  for (let tries = 0; tries < 3; tries += 1) await signIn(client);
  // Many clients are in a wider range, which has no counter of its own.
  expect((await change('unblock', '2001:db8:5:6::/63')).json).toMatchObject({ counters: 0 });
  expect(await signIn(client)).toBe(429);
  expect((await change('unblock', '2001:db8:5:6::/64')).json).toMatchObject({ counters: 3 });
  expect(await signIn(client)).toBe(303);
});

test("a block ends by Redis's clock, by itself", async () => {
  await change('block', '192.0.2.50', '--for', '1h');
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * 3_600_000 });
  onTestFinished(() => void vi.useRealTimers());
  expect(await signIn(from('192.0.2.50'))).toBe(403);
  vi.useRealTimers();
  for (const network of await app.redis.zRange('blocks', 0, -1))
    await app.redis.zAdd('blocks', { score: 1, value: network });
  expect(await signIn(from('192.0.2.50'))).toBe(303);
});

test('an IPv6 range narrower than what one client has leads to the one to block', async () => {
  const hint = async (typed: string) =>
    /To keep it out, block (\S+)\./.exec((await latchkey('block', typed)).text)?.[1];
  expect(await hint('2001:db8:7::bad:1')).toBe('2001:db8:7::/64');
  expect(await hint('2001:db8:7::/96')).toBe('2001:db8:7::/64');
  expect(await hint('2001:db8:7::/64')).toBeUndefined();
  expect(await hint('192.0.2.99')).toBeUndefined();
});

describe('refuses what would lock the wrong people out', () => {
  test.each([
    ['0.0.0.0/0', 'too wide'],
    ['10.0.0.0/7', 'too wide'],
    ['::/0', 'too wide'],
    ['ann@example.com', 'neither an IP address nor a range'],
    ['localhost', 'neither an IP address nor a range'],
  ])('%s', async (typed, message) => {
    await expect(latchkey('block', typed)).rejects.toThrow(message);
  });

  test('a time that is none', async () => {
    await expect(latchkey('block', '192.0.2.1', '--for', '367d')).rejects.toThrow('--for takes at most 366d');
    for (const time of ['ever', '0s', '24']) {
      await expect(latchkey('block', '192.0.2.1', '--for', time)).rejects.toThrow(
        '--for takes a whole number of at least 1 and a unit (s, m, h, d)',
      );
    }
  });
});
