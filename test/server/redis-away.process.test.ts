import { expect, test } from 'vitest';
import { startServer } from '../support/process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { Visitor } from '../support/visitor.ts';

const redis = await startRedisServer('of-the-operator', ['--appendonly', 'yes', '--appendfsync', 'always']);
const server = await startServer({ env: { REDIS_URL: redis.url } });
const ann = new Visitor(server.url());
await ann.signIn('ann@example.com');
const stranger = new Visitor(server.url());

async function lose(): Promise<void> {
  await redis.kill();
  await expect.poll(async () => (await stranger.get('/readyz')).status).toBe(503);
}

test('while Redis is away, whoever has a session reads within 2 s that it will be back', async () => {
  await lose();
  for (const path of ['/', '/admin', '/login']) {
    const startedAt = performance.now();
    const page = await ann.get(path, { headers: { Accept: 'text/html' } });
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect(page.status).toBe(503);
    expect(page.headers.get('Retry-After')).toBe('5');
    expect(page.text).toContain('That did not work just now.');
    expect(page.setCookies).toEqual([]);
  }
});

test('meanwhile static files and /livez are served, and so is the home page to who has no session', async () => {
  expect((await stranger.get('/style.css')).status).toBe(200);
  expect((await stranger.get('/livez')).text).toBe('ok\n');
  expect((await stranger.get('/')).status).toBe(200);
});

test('it is back by itself when Redis is, with the sessions that Redis kept', async () => {
  await redis.start();
  await expect.poll(async () => (await stranger.get('/readyz')).status, { timeout: 5000 }).toBe(200);
  expect((await ann.get('/admin')).text).toContain('Hello ann@example.com');
});

test('the log says once that it was lost, and once that it is back', async () => {
  await expect.poll(() => server.logged('Redis lost'), { timeout: 5000 }).toMatchObject([{ level: 50 }]);
  await expect.poll(() => server.logged('Redis back'), { timeout: 5000 }).toMatchObject([{ level: 30 }]);

  await lose();
  await redis.start();
  await expect.poll(() => server.logged('Redis back'), { timeout: 5000 }).toHaveLength(2);
  expect(server.logged('Redis lost')).toHaveLength(2);
});

test('a Redis that is frozen is a 503 within 2 s as well, and back when it thaws', async () => {
  redis.signal('SIGSTOP');
  const startedAt = performance.now();
  const page = await ann.get('/admin');
  expect(performance.now() - startedAt).toBeLessThan(2000);
  expect(page.status).toBe(503);
  redis.signal('SIGCONT');
  await expect.poll(async () => (await ann.get('/admin')).status, { timeout: 10_000 }).toBe(200);
});
