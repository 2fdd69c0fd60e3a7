import { describe, expect, test } from 'vitest';
import { isOnList, readAllowListEntry } from '../../src/session/allow-list.ts';
import { startApp } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

describe('isOnList', () => {
  test('has nobody on an empty list, so that a list of staff never becomes everybody', () => {
    expect(isOnList([])('anybody@anywhere.example')).toBe(false);
  });

  const isAllowed = isOnList(['ann@example.com', 'a%b@example.org', '@example.org']);
  test.each(['ann@example.com', 'ann@example.org', 'any.body+tag@example.org', 'a%b@example.org'])(
    'lets %s in',
    (email) => {
      expect(isAllowed(email)).toBe(true);
    },
  );

  test.each([
    'bob@example.com',
    'ann@example.com.evil.example',
    'joann@example.com',
    'ann@sub.example.org',
    'ann@notexample.org',
    '"ann@example.com"@evil.example',
    '"x@example.org"@evil.example',
    '@example.org@evil.example',
    // What a mail server might send on to another domain, it being a route to some.
    'ann%evil.example@example.org',
    'evil.example!ann@example.org',
    '"ann@evil.example"@example.org',
    'ann\uff20evil.example@example.org',
    '=?utf-8?q?ann=40evil.example?=@example.org',
    'example.org',
    '',
  ])('does not let %j in', (email) => {
    expect(isAllowed(email)).toBe(false);
  });
});

test.each([
  ['Ann@EXAMPLE.com', 'ann@example.com'],
  ['"a b"@example.com', '"a b"@example.com'],
  ['@Example.com', '@example.com'],
  ['\uff20b\u00fccher.example', '@xn--bcher-kva.example'],
  ['example.com', undefined],
  ['@', undefined],
  ['*@example.com', undefined],
  ['ann*@example.com', undefined],
  ['a b@example.com', undefined],
])('an entry is read in its canonical form: %s', (entry, canonical) => {
  expect(readAllowListEntry(entry)).toBe(canonical);
});

describe('ALLOWED_EMAILS', () => {
  test('where addresses are trusted: others are refused, and nothing of them is kept', async () => {
    const app = await startApp({ env: { ALLOWED_EMAILS: 'ann@example.com, @example.org' } });
    for (const email of ['bob@example.com', 'ann@sub.example.org']) {
      const stranger = new Visitor(app.url);
      const visit = await stranger.post('/login', { form: { email } });
      expect([visit.status, visit.setCookies]).toEqual([422, []]);
      expect(visit.text).toContain('This address may not log in here.');
      expect((await stranger.get('/admin')).status).toBe(401);
    }
    expect((await app.redis.keys('*')).filter((key) => !key.startsWith('h:'))).toEqual([]);
    const refused = app.logged().filter(({ msg }) => msg === 'sign-in refused');
    expect(refused.map(({ reason }) => reason)).toEqual(['not in ALLOWED_EMAILS', 'not in ALLOWED_EMAILS']);
    for (const email of ['ann@example.com', 'bob@example.org']) await new Visitor(app.url).signIn(email);
  });

  test('on each request: an address that was taken off has no access any more, nor once it is on it again', async () => {
    const redisAddress = await testRedis();
    const before = await startApp({ redisAddress, env: { ALLOWED_EMAILS: '@example.com' } });
    const after = await startApp({ redisAddress, env: { ALLOWED_EMAILS: '@example.org' } });
    const visitor = await signedIn(before.url);
    expect((await visitor.copy(after.url).get('/admin')).status).toBe(401);
    // Whoever made it leave the list may hold that session.
    expect((await visitor.get('/admin')).status).toBe(401);
  });
});
