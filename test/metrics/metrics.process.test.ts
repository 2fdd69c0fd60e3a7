import { expect, test } from 'vitest';
import { read as readDocument } from '../support/documents.ts';
import { type RunningServer, startProcess, startServer } from '../support/process.ts';
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
  const before = await (await fetch(`${metricsUrl(server)}/metrics`)).text();
  for (const series of [
    'latchkey_sign_ins_total{outcome="signed in"}',
    'latchkey_sign_ins_total{outcome="not an address"}',
    'latchkey_request_seconds_count{method="POST",route="/login",status="303"}',
    'latchkey_request_seconds_count{method="GET",route="other",status="503"}',
    'latchkey_redis_call_seconds_count{ok="false"}',
    'latchkey_redis_commands_total{command="del",ok="true"}',
    'latchkey_sessions',
  ]) {
    expect([series, read(before, series)]).toEqual([series, 0]);
  }
  const { version } = JSON.parse(readDocument('package.json'));
  expect(read(before, `latchkey_build_info{version="${version}",node="${process.version}"}`)).toBe(1);

  const visitor = new Visitor(server.url());
  await visitor.signIn('ann@example.com');
  await visitor.get('/admin');
  await visitor.get('/admin');
  await visitor.get('/secret-of-ann');
  await visitor.get('/style.css');
  await visitor.post('/login', { form: { email: 'not an address' } });

  const answer = await fetch(`${metricsUrl(server)}/metrics?collect[]=all`);
  const text = await answer.text();
  expect(answer.headers.get('Content-Type')).toContain('text/plain');
  expect(answer.headers.get('X-Content-Type-Options')).toBe('nosniff');
  const requests = (method: string, route: string, status: number) =>
    read(text, `latchkey_request_seconds_count{method="${method}",route="${route}",status="${status}"}`);
  expect(requests('POST', '/login', 303)).toBe(1);
  expect(requests('POST', '/login', 422)).toBe(1);
  expect(requests('GET', '/admin', 200)).toBe(2);
  expect(requests('GET', 'other', 404)).toBe(1);
  expect(requests('GET', 'other', 200)).toBe(1);
  expect(read(text, 'latchkey_sign_ins_total{outcome="signed in"}')).toBe(1);
  expect(read(text, 'latchkey_sign_ins_total{outcome="not an address"}')).toBe(1);
  expect(read(text, 'latchkey_redis_call_seconds_count{ok="true"}')).toBeGreaterThan(3);
  const commands = (command: string) => read(text, `latchkey_redis_commands_total{command="${command}",ok="true"}`);
  expect([commands('get') > 0, commands('eval') > 1]).toEqual([true, true]);
  expect(commands('evalsha')).toBeGreaterThan(0); // feature: performance
  expect(read(text, 'nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0);
  expect(text).not.toMatch(/ann|style\.css/);

  for (const path of ['/', '/?/metrics', '/metrics/x']) {
    expect([path, (await fetch(metricsUrl(server) + path)).status]).toEqual([path, 404]);
  }
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

test('METRICS_HOST chooses another address than visitors use', async () => {
  const server = await startServer({ env: { METRICS_PORT: '0', METRICS_HOST: '127.0.0.2' } });
  const port = server.logged('metrics are served').at(0)?.port;
  expect((await fetch(`http://127.0.0.2:${port}/metrics`)).status).toBe(200);
  await expect(fetch(`http://127.0.0.1:${port}/metrics`)).rejects.toThrow();
});

test.each([
  {},
  { WORKERS: '2' }, // feature: workers
])('a metrics port that is taken is named as such (%o)', async (env) => {
  const { port } = new URL((await startServer()).url());
  const second = startProcess({ env: { PORT: '0', METRICS_PORT: port, ...env } });
  expect(await second.ended).toEqual({ code: 1, signal: null });
  expect(second.printed()).toContain('Stop the other program, or set METRICS_PORT.');
});

test('without METRICS_PORT there are none', async () => {
  const server = await startServer();
  expect(server.logged('metrics are served')).toEqual([]);
});
