import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { rateLimits } from '../../src/features/email-code/rate-limits.ts';
import type { NodeClient } from '../../src/redis/node.ts';
import { maxAddressBytes } from '../../src/session/email-address.ts';
import { askForCode, enterCode, newBrowser, startCodeApp } from './code-login.ts';

const documentation = readFileSync(new URL('../../docs/email-code.md', import.meta.url), 'utf8').replace(/\s+/g, ' ');
const { url, redis } = await startCodeApp({ env: { MAILS_PER_HOUR: '999999' } });
const [{ points: perTenMinutes }, { points: perDay }] = rateLimits.asksPerClient;

/** The longest address there is, which nobody has used before. */
function longAddress(number: number): string {
  const local = String(number).padStart(64, 'a');
  const domain = `${`${'b'.repeat(60)}.`.repeat(3)}com`;
  return `${local}@${domain}`.slice(0, maxAddressBytes);
}

/** How many bytes the keys of each kind take, one by one, and how long they live; but mail that waits for its server. */
async function kept(client: NodeClient): Promise<{ kind: string; bytes: number; seconds: number }[]> {
  return Promise.all(
    (await client.keys('[cdl]:*')).map(async (key) => ({
      kind: key.startsWith('l:{') ? key.replace(/\{.*\}/, '') : (key[0] ?? ''),
      bytes: Number(await client.memoryUsage(key)),
      seconds: await client.ttl(key),
    })),
  );
}

test('what one client can leave in Redis is bounded as the documentation says', async () => {
  const [count, next] = [20, `/admin?${'x'.repeat(1990)}`];
  for (let number = 1; number <= count; number += 1) {
    const browser = newBrowser(url, { 'X-Forwarded-For': '198.18.255.1' });
    await askForCode(browser, longAddress(number), { next });
    await enterCode(browser, '00000000');
  }
  const keys = await kept(redis);
  // Nothing stays for good.
  expect(keys.filter(({ seconds }) => seconds < 0 || seconds > 86_400)).toEqual([]);
  // At most, windows of each limit touch: what lives for ten minutes, an hour and a day is from so many asks.
  const asksWithin = (seconds: number) =>
    seconds <= 600 ? 2 * perTenMinutes : seconds <= 3600 ? 7 * perTenMinutes : 2 * perDay;
  const perAsk = keys.map(({ bytes, seconds }) => (bytes * asksWithin(seconds)) / count);
  const kilobytes = perAsk.reduce((sum, bytes) => sum + bytes, 0) / 1000;
  const [, client, site] =
    /one client can leave at most (\d+) kB of counters and codes in Redis, and a whole IPv6 \/48 (\d+) kB/.exec(
      documentation,
    ) ?? [];
  expect(kilobytes).toBeLessThan(Number(client));
  expect(kilobytes).toBeGreaterThan(Number(client) * 0.7);
  expect(Number(site)).toBe(4 * Number(client));
});

test('where a form leads is kept in the cookie, not in Redis, and a refused request leaves nothing', async () => {
  const client = { 'X-Forwarded-For': '198.18.255.2' };
  await askForCode(newBrowser(url, client), longAddress(1000), { next: `/admin?${'x'.repeat(1990)}` });
  const records = (await kept(redis)).filter(({ kind }) => kind === 'c');
  expect(Math.max(...records.map(({ bytes }) => bytes))).toBeLessThan(600);
  await redis.set('l:ask:600:{198.18.255.2}', String(perTenMinutes), { expiration: { type: 'EX', value: 600 } });
  const lasting = async () => (await redis.keys('[cdl]:*')).filter((key) => !key.endsWith('decoy')).sort();
  const before = await lasting();
  const refused = await Promise.all(
    [1001, 1002, 1003].map((number) => askForCode(newBrowser(url, client), longAddress(number))),
  );
  expect(refused.map(({ status }) => status)).toEqual([429, 429, 429]);
  expect(await lasting()).toEqual(before);
});

test('a /48 has four times the allowance of a client, a /56 twice, from however many /64 (65,536)', async () => {
  const ask = (ip: string, number: number) =>
    askForCode(newBrowser(url, { 'X-Forwarded-For': ip }), `p${number}@example.com`);
  const visits = async (ips: string[]) => {
    const statuses: number[] = [];
    // Few at a time: on a busy machine, more would wait for Redis for over a second and get a 503.
    for (let from = 0; from < ips.length; from += 5) {
      const some = await Promise.all(ips.slice(from, from + 5).map((ip, number) => ask(ip, from + number)));
      statuses.push(...some.map(({ status }) => status));
    }
    return statuses.filter((status) => status === 303).length;
  };
  // Each from a /64 of its own; first all in one /56.
  const inOneSlash56 = Array.from({ length: 70 }, (_, number) => `2001:db8:48:${(0x1100 + number).toString(16)}::1`);
  expect(await visits(inOneSlash56)).toBe(2 * perTenMinutes);
  const inOneSlash48 = Array.from(
    { length: 100 },
    (_, number) => `2001:db8:48:${((number + 32) * 256).toString(16)}::1`,
  );
  expect(await visits(inOneSlash48)).toBe(2 * perTenMinutes);
  expect(await visits(['2001:db8:49::1'])).toBe(1);
  // The refused /64 have left no counter behind.
  expect((await redis.keys('l:ask:*2001:db8:48*')).length).toBeLessThanOrEqual(2 * (1 + 2 * 4 * perTenMinutes));
});
