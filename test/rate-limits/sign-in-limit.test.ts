import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { tagOf } from '../../src/session/session-id.ts';
import { startApp } from '../support/app.ts';
import { clients } from '../support/client.ts';
import { countKeys } from '../support/commands.ts';
import { blamed } from '../support/settings.ts';
import { Visitor } from '../support/visitor.ts';

const { url, redis, logged } = await startApp({ env: { SIGN_INS_PER_DAY: '5', TRUST_PROXY: '1' } });
const documentation = readFileSync(new URL('../../docs/settings.md', import.meta.url), 'utf8');
const { rateLimits, sessionLimits } = readConfig({ NODE_ENV: 'test' });

function from(ip: string, headers: Record<string, string> = {}): Visitor {
  return new Visitor(url, { 'X-Forwarded-For': ip, Accept: 'text/html', ...headers });
}

async function statuses(ips: string[]): Promise<number[]> {
  const visits = await Promise.all(
    ips.map((ip, number) => from(ip).post('/login', { form: { email: `${number}@example.com` } })),
  );
  return visits.map(({ status }) => status).sort();
}

test('SIGN_INS_PER_DAY takes a whole number, 500 by default', () => {
  expect(rateLimits.signInsPerDay).toBe(500);
  for (const text of ['0', '-1', '1000000', 'x', '1.5']) {
    expect(blamed({ SIGN_INS_PER_DAY: text })).toEqual(['SIGN_INS_PER_DAY']);
  }
});

test('one client signs in so often a day, however many ask at once, and then has to wait, with its form', async () => {
  expect(await statuses(Array.from({ length: 12 }, () => '198.51.100.1'))).toEqual([
    ...Array.from({ length: 5 }, () => 303),
    ...Array.from({ length: 7 }, () => 429),
  ]);
  const before = await countKeys(redis);
  const form = { email: 'ann@example.com', next: '/admin?tab=2', remember: 'on' };
  const refused = await from('198.51.100.1').post('/login', { form });
  expect([refused.status, refused.setCookies]).toEqual([429, []]);
  expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(86_300);
  expect(refused.text).toContain('Too many attempts. Please try again in 24 hours.');
  for (const kept of ['value="ann@example.com"', 'value="/admin?tab=2"', 'name="remember" checked']) {
    expect(refused.text).toContain(kept);
  }
  expect(await countKeys(redis)).toBe(before);
  const [text, json] = [clients.text, clients.json].map((client) => from('198.51.100.1', client));
  expect((await text?.post('/login', { form }))?.text).toBe('Too many attempts. Please try again in 24 hours.\n');
  expect(JSON.parse((await json?.post('/login', { form }))?.text ?? '')).toEqual({
    error: 'Too many attempts. Please try again in 24 hours.',
  });
  expect(logged().filter(({ reason }) => reason === 'too often')).toHaveLength(10);
  expect(await statuses(['198.51.100.2'])).toEqual([303]);
});

test('a /48 signs in four times as often, from however many networks', async () => {
  const ips = Array.from({ length: 30 }, (_, number) => `2001:db8:0:${(number * 256).toString(16)}::1`);
  expect((await statuses(ips)).filter((status) => status === 303)).toHaveLength(20);
});

test('an address that is not one, or may not log in, costs no sign-in', async () => {
  for (let times = 1; times <= 6; times += 1) {
    expect((await from('198.51.100.3').post('/login', { form: { email: 'nobody' } })).status).toBe(422);
  }
  expect(await statuses(['198.51.100.3'])).toEqual([303]);
});

test('what one client can leave in Redis is bounded as the documentation says', async () => {
  const email = `${'a'.repeat(64)}@${`${'b'.repeat(60)}.`.repeat(3)}exampl`;
  await redis.flushAll();
  const form = { email, remember: 'on', next: `/admin?${'x'.repeat(1900)}`, form: 'x'.repeat(16) };
  await from('198.51.100.4', { 'User-Agent': 'x'.repeat(2000) }).post('/login', { form });
  const lasting = (await redis.keys('*')).filter((key) => !/^[lfh]:/.test(key));
  expect(lasting).toHaveLength(2);
  expect(lasting).toContain(tagOf(email));
  const sizes = await Promise.all(lasting.map((key) => redis.memoryUsage(key)));
  const days = sessionLimits.rememberAbsoluteSeconds / 86_400;
  const bytes = sizes.reduce<number>((sum, size) => sum + Number(size), 0) * rateLimits.signInsPerDay * (days + 1);
  const [, client, site] = /at most (\d+) MB of sessions in Redis, a \/48 (\d+) MB/.exec(documentation) ?? [];
  expect(bytes / 1e6).toBeLessThan(Number(client));
  expect(bytes / 1e6).toBeGreaterThan(Number(client) * 0.7);
  expect(Number(site)).toBe(4 * Number(client));
});
