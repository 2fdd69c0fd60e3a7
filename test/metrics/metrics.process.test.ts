import { expect, test } from 'vitest';
import { type RunningServer, startServer } from '../support/process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { Visitor } from '../support/visitor.ts';

function metricsUrl(server: RunningServer): string {
  return `http://127.0.0.1:${server.logged('metrics are served').at(0)?.port}`;
}

function read(metrics: string, series: string): number {
  const line = metrics.split('\n').find((line) => line.startsWith(`${series} `));
  return Number(line?.split(' ').at(-1));
}

test('METRICS_PORT serves what Prometheus reads, on a port of its own, and nothing that a visitor typed', async () => {
  const server = await startServer({ env: { METRICS_PORT: '0' } });
  const visitor = new Visitor(server.url());
  await visitor.signIn('ann@example.com');
  await visitor.get('/admin');
  await visitor.get('/secret-of-ann');
  await visitor.get('/style.css');
  await visitor.post('/login', { form: { email: 'not an address' } });

  const answer = await fetch(`${metricsUrl(server)}/metrics`);
  const text = await answer.text();
  expect(answer.headers.get('Content-Type')).toContain('text/plain');
  expect(answer.headers.get('X-Content-Type-Options')).toBe('nosniff');
  const requests = (method: string, route: string, status: number) =>
    read(text, `latchkey_request_seconds_count{method="${method}",route="${route}",status="${status}"}`);
  expect(requests('POST', '/login', 303)).toBe(1);
  expect(requests('POST', '/login', 422)).toBe(1);
  expect(requests('GET', '/admin', 200)).toBe(1);
  expect(requests('GET', 'other', 404)).toBe(1);
  expect(requests('GET', 'other', 200)).toBe(1);
  expect(read(text, 'latchkey_sign_ins_total{outcome="signed in"}')).toBe(1);
  expect(read(text, 'latchkey_sign_ins_total{outcome="not an address"}')).toBe(1);
  expect(read(text, 'latchkey_redis_call_seconds_count{ok="true"}')).toBeGreaterThan(3);
  expect(read(text, 'nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0);
  expect(text).not.toMatch(/ann|style\.css/);

  expect((await fetch(`${metricsUrl(server)}/`)).status).toBe(404);
  expect((await visitor.get('/metrics')).status).toBe(404);
  process.kill(server.pid, 'SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
});

test('calls to Redis that fail are counted apart from those that do not', async () => {
  const redis = await startRedisServer('of-the-operator');
  const server = await startServer({ env: { METRICS_PORT: '0', REDIS_URL: redis.url } });
  const calls = async (ok: boolean) => {
    const metrics = await (await fetch(`${metricsUrl(server)}/metrics`)).text();
    return read(metrics, `latchkey_redis_call_seconds_count{ok="${ok}"}`) || 0;
  };
  const visitor = new Visitor(server.url());
  await visitor.signIn('ann@example.com');
  const succeeded = await calls(true);
  expect([succeeded > 0, await calls(false)]).toEqual([true, 0]);
  await redis.kill();
  expect((await visitor.get('/admin')).status).toBe(503);
  const failed = await calls(false);
  expect([await calls(true), failed > 0]).toEqual([succeeded, true]);
  expect((await visitor.get('/admin')).status).toBe(503);
  expect(await calls(false)).toBeGreaterThan(failed);
});

test('without METRICS_PORT there are none', async () => {
  const server = await startServer();
  expect(server.logged('metrics are served')).toEqual([]);
});
