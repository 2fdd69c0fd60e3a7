import { expect, test } from 'vitest';
import { startServer } from '../support/process.ts';
import { Visitor } from '../support/visitor.ts';

test('METRICS_PORT serves what Prometheus reads, on a port of its own, and nothing that a visitor typed', async () => {
  const server = await startServer({ env: { METRICS_PORT: '0' } });
  const port = server.logged('metrics are served').at(0)?.port;
  const visitor = new Visitor(server.url());
  await visitor.signIn('ann@example.com');
  await visitor.get('/admin');
  await visitor.get('/secret-of-ann');
  await visitor.get('/style.css');
  await visitor.post('/login', { form: { email: 'not an address' } });

  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  const text = await answer.text();
  expect(answer.headers.get('Content-Type')).toContain('text/plain');
  const lines = text.split('\n');
  const read = (series: string) =>
    Number(
      lines
        .find((line) => line.startsWith(`${series} `))
        ?.split(' ')
        .at(-1),
    );
  const requests = (method: string, route: string, status: number) =>
    read(`latchkey_request_seconds_count{method="${method}",route="${route}",status="${status}"}`);
  expect(requests('POST', '/login', 303)).toBe(1);
  expect(requests('POST', '/login', 422)).toBe(1);
  expect(requests('GET', '/admin', 200)).toBe(1);
  expect(requests('GET', 'other', 404)).toBe(1);
  expect(requests('GET', 'other', 200)).toBe(1);
  expect(read('latchkey_sign_ins_total{outcome="signed in"}')).toBe(1);
  expect(read('latchkey_sign_ins_total{outcome="not an address"}')).toBe(1);
  expect(read('latchkey_redis_call_seconds_count{ok="true"}')).toBeGreaterThan(3);
  expect(read('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0);
  expect(text).not.toMatch(/ann|style\.css/);

  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404);
  expect((await visitor.get('/metrics')).status).toBe(404);
  process.kill(server.pid, 'SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
});

test('without METRICS_PORT there are none', async () => {
  const server = await startServer();
  expect(server.logged('metrics are served')).toEqual([]);
});
