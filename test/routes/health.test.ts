import { describe, expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { ask, signedIn } from '../support/client.ts';

let closing = false;
const { url, redis, logged } = await startApp({ isClosing: () => closing });
const visitor = await signedIn(url);

describe('health', () => {
  test('both say ok, and neither leaves a line in the log', async () => {
    await ask(url, 'get', '/livez')
      .expect(200, 'ok\n')
      .expect('Content-Type', /^text\/plain/);
    await ask(url, 'get', '/readyz').expect(200, 'ok\n').expect('Cache-Control', 'no-store');
    await ask(url, 'head', '/readyz').expect(200);
    expect(logged().filter(({ path }) => path === '/livez' || path === '/readyz')).toEqual([]);
  });

  test('are asked by http, without cookies, from anywhere, and answer', async () => {
    await ask(url, 'get', '/readyz').set({ 'Sec-Fetch-Site': 'cross-site', Host: 'balancer.invalid' }).expect(200);
  });

  test('/readyz sends visitors elsewhere while the process closes, and /livez keeps it alive', async () => {
    closing = true;
    await ask(url, 'get', '/readyz').expect(503, 'closing\n');
    await ask(url, 'get', '/livez').expect(200);
    closing = false;
    await ask(url, 'get', '/readyz').expect(200);
  });

  test('/readyz says no once Redis is gone, and /livez and static files are still there', async () => {
    await redis.sendCommand(['SHUTDOWN', 'NOSAVE']).catch(() => {});
    await ask(url, 'get', '/readyz').expect(503, 'Redis does not answer\n');
    await ask(url, 'get', '/livez').expect(200, 'ok\n');
    await ask(url, 'get', '/style.css').expect(200);
  });

  test('without Redis a signed-in page is a 503 within 2 s, which says when to come back', async () => {
    const startedAt = performance.now();
    const { text } = await ask(url, 'get', '/admin', visitor).expect(503).expect('Retry-After', /^\d+$/);
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect(text).toContain('That did not work just now.');
  });

  test('without Redis nobody is told that they are signed in, or out', async () => {
    const { headers, text } = await ask(url, 'post', '/login')
      .type('form')
      .send({ email: 'ann@example.com' })
      .set('Accept', 'text/plain')
      .expect(503);
    expect(headers['set-cookie']).toBeUndefined();
    expect(text).not.toContain('done');
    const logout = await ask(url, 'post', '/logout', visitor).expect(503);
    expect(logout.headers['set-cookie']).toBeUndefined();
  });
});
