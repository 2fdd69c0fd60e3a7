import { expect, test } from 'vitest';
import { RevocationLinks } from '../../src/features/email-code/revocation-links.ts';
import { startApp } from '../support/app.ts';

const { redis } = await startApp();
const links = new RevocationLinks(redis);
const linked = { sessionId: 'session', deviceId: 'device' };
const another = { sessionId: 'other-session', deviceId: 'other-device' };
const inAMinute = () => Date.now() + 60_000;

test('a token stands for its session, is left by looking, and says so once it is used', async () => {
  const [token, other] = [await links.create(linked, inAMinute()), await links.create(another, inAMinute())];
  for (let times = 1; times <= 3; times += 1) expect(await links.find(token)).toEqual(linked);
  expect(await links.use(token, linked, true)).toBe(true);
  expect(await links.find(token)).toEqual({ ...linked, hasEnded: true });
  expect(await links.find(other)).toEqual(another);
});

test('a token that is used at once with another press answers what either has ended, and lapses soon', async () => {
  await redis.flushAll();
  const token = await links.create(linked, inAMinute());
  expect(await links.use(token, linked, false)).toBe(false);
  expect(await links.find(token)).toEqual({ ...linked, hasEnded: false });
  expect(await links.use(token, linked, true)).toBe(true);
  expect(await links.use(token, linked, false)).toBe(true);
  expect(await links.find(token)).toEqual({ ...linked, hasEnded: true });
  const [key = ''] = await redis.keys('n:*');
  expect(await redis.ttl(key)).toBeLessThanOrEqual(30);
});

test('a token is 128 random bits, unlike any other, and in no key', async () => {
  const tokens = await Promise.all(Array.from({ length: 500 }, () => links.create(linked, inAMinute())));
  expect(new Set(tokens).size).toBe(500);
  expect(tokens.every((token) => Buffer.from(token, 'base64url').length === 16)).toBe(true);
  const keys = (await redis.keys('n:*')).join();
  expect(tokens.filter((token) => keys.includes(token))).toEqual([]);
});

test('a token lapses with its session', async () => {
  await redis.flushAll();
  const endsAt = inAMinute();
  await links.create(linked, endsAt);
  const [key = ''] = await redis.keys('n:*');
  expect(await redis.pExpireTime(key)).toBe(endsAt);
});

test.each([
  ['a hash', (key: string) => redis.hSet(key, 'session', 'x')],
  ['another version', (key: string) => redis.set(key, '2 session device')],
  ['a part too few', (key: string) => redis.set(key, 'session')],
  ['nothing in it', (key: string) => redis.set(key, '')],
])('a token whose record has %s is not good', async (_what, store) => {
  await redis.flushAll();
  const token = await links.create(linked, inAMinute());
  const [key = ''] = await redis.keys('n:*');
  await redis.del(key);
  await store(key);
  expect(await links.find(token)).toBeUndefined();
});

test.each(['', 'nothing', '*', '../c:x'])('%j is no token', async (token) => {
  expect(await links.find(token)).toBeUndefined();
  expect(await links.use(token, linked, false)).toBe(false);
  expect(await links.find(token)).toBeUndefined();
});
