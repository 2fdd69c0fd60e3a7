import { beforeAll, describe, expect, test } from 'vitest';
import { type RunningServer, startServer, startServerAhead } from '../support/process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { Visitor } from '../support/visitor.ts';

const aheadMinutes = 11;

describe('sessions, with limits shorter than the clocks of two processes differ', () => {
  const servers: Record<string, RunningServer> = {};
  const urlOf = (name: string) => servers[name]?.url() ?? '';

  beforeAll(async () => {
    const redis = await startRedisServer('of-the-operator');
    const env = {
      REDIS_URL: redis.url,
      SESSION_SECRET: 'a secret of the operator of 32 characters and more',
      ...{ SESSION_IDLE: '4m', SESSION_ABSOLUTE: '5m', SESSION_REMEMBER_IDLE: '6m', SESSION_REMEMBER_ABSOLUTE: '7m' },
    };
    servers.right = await startServer({ env });
    servers.ahead = await startServerAhead(aheadMinutes, { env });
  });

  test.each([
    ['right', 'ahead'],
    ['ahead', 'right'],
  ])('a sign-in at the one that is %s holds at the one that is %s, and everywhere else', async (first, second) => {
    const visitor = new Visitor(urlOf(first));
    const email = `${first}@example.com`;
    await visitor.signIn(email);
    for (const name of [second, first]) {
      const page = await visitor.copy(urlOf(name)).get('/admin');
      expect([page.status, page.text.includes(`Hello ${email}`), page.text.includes('just now')]).toEqual([
        200,
        true,
        true,
      ]);
    }
  });

  // feature: cookie-max-age
  test.each(['right', 'ahead'])(
    'a persistent cookie of the one that is %s lasts as long as its session',
    async (name) => {
      const form = new URLSearchParams({ email: 'ann@example.com', remember: 'on' });
      const answer = await fetch(`${urlOf(name)}/login`, { method: 'POST', body: form, redirect: 'manual' });
      const [, seconds] = /^session=.*Max-Age=(\d+)/.exec(answer.headers.get('Set-Cookie') ?? '') ?? [];
      expect(Math.abs(Number(seconds) - 360)).toBeLessThan(30);
    },
  );
  // end: cookie-max-age

  test('the one whose clock is wrong says so, and by how much', () => {
    const said = (name: string) =>
      servers[name]?.logged("this machine's clock and that of Redis differ: synchronize both (NTP)");
    expect(said('right')).toEqual([]);
    expect(said('ahead')).toHaveLength(1);
    expect(Math.abs(Number(said('ahead')?.[0]?.skewSeconds) - aheadMinutes * 60)).toBeLessThan(5);
  });
});
