import { describe, expect, test, vi } from 'vitest';
import { afterwards } from '../support/afterwards.ts';
import { startBalancer } from '../support/balancer.ts';
import { countKeys } from '../support/commands.ts';
import { Load } from '../support/load.ts';
import { type Connection, connect, type RunningServer, startServer } from '../support/process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { Visitor } from '../support/visitor.ts';

const inOrder = { code: 0, signal: null };
const redis = await startRedisServer('of-the-operator', ['--appendonly', 'yes']);
const secret = { SESSION_SECRET: 'a secret of the operator of 32 characters and more' };
const servers = await startThree();

function startThree(): Promise<RunningServer[]> {
  const env = { NODE_ENV: 'production', BASE_URL: 'http://localhost:3000', REDIS_URL: redis.url, ...secret };
  return Promise.all(Array.from({ length: 3 }, () => startServer({ env })));
}

/** The server whose turn it is. */
function urlOf(turn: number): string {
  return servers[turn % servers.length]?.url() ?? '';
}

describe('three processes behind one Redis are one Latchkey', () => {
  test('a hundred visitors at once sign in on one, visit another and log out on a third', async () => {
    const visitors = Array.from({ length: 100 }, async (_, turn) => {
      const email = `visitor-${turn}@example.com`;
      const visitor = new Visitor(urlOf(turn));
      await visitor.signIn(email);
      expect((await visitor.copy(urlOf(turn + 1)).get('/admin')).text).toContain(`Hello ${email}`);
      expect((await visitor.copy(urlOf(turn + 2)).post('/logout')).status).toBe(303);
      for (const server of servers) expect((await visitor.copy(server.url()).get('/admin')).status).toBe(401);
    });
    await Promise.all(visitors);
  });

  test('one person signs in on all at once, and ends all others from any', async () => {
    const browsers = Array.from({ length: 12 }, (_, turn) => new Visitor(urlOf(turn)));
    await Promise.all(browsers.map((browser) => browser.signIn('ann@example.com')));
    const [kept, ...others] = browsers.map((browser, turn) => browser.copy(urlOf(turn + 1)));
    expect((await kept?.post('/admin/end-other-sessions'))?.status).toBe(303);
    expect((await kept?.get('/admin'))?.status).toBe(200);
    const statuses = await Promise.all(others.map(async (other) => (await other.get('/admin')).status));
    expect(new Set(statuses)).toEqual(new Set([401]));
  });

  test('all can be replaced one by one under load, and no request and no session is lost', async () => {
    const balancer = await startBalancer();
    for (const server of servers) balancer.add(server.url());
    await expect.poll(balancer.ready).toHaveLength(servers.length);
    const load = new Load(balancer.url);
    const replacements = await startThree();
    await load.start(10);

    for (const [position, replacement] of replacements.entries()) {
      balancer.add(replacement.url());
      await expect.poll(balancer.ready).toContain(replacement.url());
      const [old] = servers.splice(position, 1, replacement);
      if (!old) throw new Error('there is one for each');
      process.kill(old.pid, 'SIGTERM');
      expect(await old.ended).toEqual(inOrder);
      balancer.remove(old.url());
    }

    await load.stop();
    expect(load.complaints).toEqual([]);
    expect(load.figures.refused).toBe(0);
    expect(await load.audit()).toMatchObject({ lost: 0, revived: 0 });
    console.log(
      `rolling restart: ${load.figures.requests} requests, none lost, slowest ${Math.round(load.figures.slowestMs)} ms`,
    );
  });
});

test('SIGTERM among requests, slow uploads and 1,000 kept connections: all that was asked is answered', async () => {
  const link = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(redis.url).port) });
  afterwards(link.close);
  const throughLink = Object.assign(new URL(redis.url), { port: String(link.port) }).href;
  const server = await startServer({ env: { REDIS_URL: throughLink, ...secret } });
  const kept = await Promise.all(
    Array.from({ length: 1000 }, () => connect(server.url(), 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n')),
  );
  await vi.waitFor(() => expect(kept.every(({ received }) => received().endsWith('ok\n'))).toBe(true), {
    timeout: 20_000,
  });
  const uploads = await Promise.all(Array.from({ length: 10 }, () => uploadSlowly(server.url())));
  const keys = await redis.client(countKeys);
  link.delayMs = 300;
  const signIns = Array.from({ length: 100 }, (_, turn) =>
    new Visitor(server.url()).signIn(`slow-${turn}@example.com`),
  );
  // Stored, two keys each, but not answered yet.
  await expect.poll(() => redis.client(countKeys)).toBe(keys + 2 * signIns.length);

  process.kill(server.pid, 'SIGTERM');
  expect((await Promise.all(signIns)).map(({ status }) => status)).toEqual(signIns.map(() => 303));
  await Promise.all([...kept, ...uploads].map(({ closed }) => closed));
  for (const upload of uploads) expect(upload.received()).toMatch(/^HTTP\/1\.1 422 /);
  expect(await server.ended).toEqual(inOrder);
  expect(server.logged('closed connections whose requests did not end')).toEqual([]);
});

/** Sends a form of two seconds, whose end does not come later where the timer is held up. */
async function uploadSlowly(url: string): Promise<Connection> {
  const form = `email=${'x'.repeat(100)}`;
  const type = 'Content-Type: application/x-www-form-urlencoded\r\n';
  const head = `POST /login HTTP/1.1\r\nHost: localhost\r\n${type}Content-Length: ${form.length}\r\n\r\n`;
  const connection = await connect(url, head);
  const startedAt = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.min(Math.floor((performance.now() - startedAt) / 20), form.length);
    connection.socket.write(form.slice(sent, due));
    sent = due;
    if (sent === form.length) clearInterval(timer);
  }, 20);
  return connection;
}

test('SIGKILL in the middle of sign-ins: whoever was told "done" stays signed in, and nothing is half-written', async () => {
  await redis.client((client) => client.flushAll());
  const env = { REDIS_URL: redis.url, ...secret };
  const server = await startServer({ env });
  const done: Visitor[] = [];
  let turns = 0;
  // Each signs in one visitor after another until the process is gone.
  async function signInOn(): Promise<void> {
    for (;;) {
      const visitor = new Visitor(server.url());
      turns += 1;
      await visitor.signIn(`victim-${turns}@example.com`);
      done.push(visitor);
      if (done.length === 20) process.kill(server.pid, 'SIGKILL');
    }
  }
  const outcomes = await Promise.allSettled(Array.from({ length: 10 }, signInOn));
  expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
  await server.ended;

  const next = await startServer({ env, cwd: server.cwd });
  for (const visitor of done) expect((await visitor.copy(next.url()).get('/admin')).status).toBe(200);
  const keys = await redis.client((client) => client.keys('*'));
  const withoutEnd = await redis.client(async (client) => {
    const ends = await Promise.all(keys.map((key) => client.pTTL(key)));
    return keys.filter((_, position) => (ends[position] ?? -1) < 0);
  });
  expect(withoutEnd).toEqual([]);
  // Each session stands in the list of its address.
  const sessions = keys.filter((key) => /^\{[\w-]{14}\}[\w-]{22}$/.test(key));
  expect(sessions.length).toBeGreaterThanOrEqual(done.length);
  expect(keys.filter((key) => /^[\w-]{14}$/.test(key))).toHaveLength(sessions.length);
});
