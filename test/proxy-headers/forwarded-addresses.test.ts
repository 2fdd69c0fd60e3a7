import { expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

const redisAddress = await testRedis();

/** The address that the log names for a client whose sign-in is refused. */
async function loggedFor(TRUST_PROXY: string, forwardedFor: string): Promise<unknown> {
  const { url, logged } = await startApp({ redisAddress, env: { TRUST_PROXY } });
  await new Visitor(url, { 'X-Forwarded-For': forwardedFor }).post('/login', { form: { email: 'nobody' } });
  return logged().find(({ msg }) => msg === 'sign-in refused')?.ip;
}

test.each([
  ['203.0.113.7:51234', '203.0.113.7'],
  [' 203.0.113.7:51234 ', '203.0.113.7'],
  ['198.51.100.1:1, 203.0.113.7:51234', '203.0.113.7'],
  ['[2001:db8::1]:443', '2001:db8::1'],
  ['[2001:DB8::1]', '2001:DB8::1'],
  ['2001:db8::1:443', '2001:db8::1:443'],
  ['203.0.113.7', '203.0.113.7'],
])('a client that a proxy names %s is %s', async (forwardedFor, ip) => {
  expect(await loggedFor('127.0.0.1', forwardedFor)).toBe(ip);
});

test('a proxy that is named with its port is the one in TRUST_PROXY', async () => {
  expect(await loggedFor('127.0.0.1,10.0.0.5', '203.0.113.7:51234, 10.0.0.5:4711')).toBe('203.0.113.7');
});

test('what others send is not believed, with and without a port', async () => {
  expect(await loggedFor('10.0.0.5', '203.0.113.7:51234')).toMatch(/127\.0\.0\.1$/);
});

// feature: gate
test('a client on the host of a guarded site is named in the same way', async () => {
  const env = {
    BASE_URL: 'https://login.example.com',
    TRUST_PROXY: '127.0.0.1',
    GATE_SITES: 'https://wiki.example.net',
  };
  const { url, logged } = await startApp({ redisAddress, env });
  const onSite = {
    'X-Forwarded-Host': 'wiki.example.net',
    'X-Forwarded-Proto': 'https',
    'Sec-Fetch-Site': 'cross-site',
  };
  const visitor = new Visitor(url, { ...onSite, 'X-Forwarded-For': '203.0.113.7:51234' });
  expect((await visitor.post('/.latchkey/logout')).status).toBe(403);
  expect(logged().find(({ msg }) => msg === 'refused a request from another site')?.ip).toBe('203.0.113.7');
});
// end: gate

// feature: repeated-forms
test('a form that is sent twice ends in one session, although each copy comes from another port', async () => {
  const { url } = await startApp({ redisAddress, env: { TRUST_PROXY: '1' } });
  const { text } = await new Visitor(url).get('/login');
  const formId = /name="form" value="([^"]+)"/.exec(text)?.[1] ?? '';
  const copies = await Promise.all(
    ['203.0.113.7:51234', '203.0.113.7:51235'].map(async (from) => {
      const copy = new Visitor(url, { 'X-Forwarded-For': from });
      await copy.signIn('ann@example.com', { form: formId });
      return copy.sessionId;
    }),
  );
  expect(new Set(copies).size).toBe(1);
});
// end: repeated-forms
