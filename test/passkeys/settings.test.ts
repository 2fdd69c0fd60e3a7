import { afterEach, describe, expect, test, vi } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { newAddress, signInByCode } from '../email-code/code-login.ts';
import { startApp } from '../support/app.ts';
import { problemsOf, production } from '../support/settings.ts';
import { Visitor } from '../support/visitor.ts';
import { newVisitor, startPasskeyApp } from './passkey-app.ts';

const site = { ...production, BASE_URL: 'https://login.example.com' };

afterEach(() => {
  vi.useRealTimers();
});

test.each(['login.example.com', 'example.com', 'EXAMPLE.com'])(
  '%s can be the relying party of a site at login.example.com',
  (id) => {
    expect(problemsOf({ ...site, PASSKEYS_RP_ID: id })).toEqual([]);
    expect(readConfig({ ...site, PASSKEYS_RP_ID: id }).passkeys.relyingPartyId).toBe(id.toLowerCase());
  },
);

test.each([
  'com',
  'ple.com',
  'other.com',
  'wiki.example.com',
  'https://example.com',
  'example.com/',
  '10.0.0.1',
  '*.example.com',
  'example.com:443',
])('%s can’t', (id) => {
  expect(problemsOf({ ...site, PASSKEYS_RP_ID: id })).toEqual([expect.stringMatching(/^PASSKEYS_RP_ID /)]);
});

test('a site with a name of its own may use the passkeys of another, if that lists it', () => {
  const related = { ...site, BASE_URL: 'https://login.example.de', PASSKEYS_RP_ID: 'login.example.com' };
  expect(problemsOf(related)).toEqual([
    expect.stringContaining('https://login.example.de in PASSKEYS_RELATED_ORIGINS'),
  ]);
  expect(problemsOf({ ...related, PASSKEYS_RELATED_ORIGINS: 'https://login.example.de' })).toEqual([]);
});

test.each([
  'http://example.de',
  'example.de',
  'https://example.de/login',
  'https://example.de?',
  'https://*.example.de',
  ',',
])('%s is no related origin', (origins) => {
  expect(problemsOf({ ...site, PASSKEYS_RELATED_ORIGINS: origins })).toEqual([
    expect.stringMatching(/^PASSKEYS_RELATED_ORIGINS takes origins with https/),
  ]);
});

describe('other programs learn', () => {
  const https = { 'X-Forwarded-Proto': 'https' };

  test('where passkeys are added and managed', async () => {
    const { url } = await startPasskeyApp();
    const { status, headers, text, setCookies } = await new Visitor(url, https).get('/.well-known/passkey-endpoints');
    expect({ status, setCookies, type: headers.get('Content-Type') }).toEqual({
      ...{ status: 200, setCookies: [], type: 'application/json; charset=utf-8' },
    });
    expect(JSON.parse(text)).toEqual({
      enroll: 'https://login.example.com/passkeys/add',
      manage: 'https://login.example.com/passkeys',
    });
    expect((await new Visitor(url, https).get('/.well-known/webauthn')).status).toBe(404);
  });

  test('which related origins there are', async () => {
    const env = { PASSKEYS_RELATED_ORIGINS: 'https://login.example.de, https://login.example.org' };
    const { url } = await startPasskeyApp({ env });
    const { text } = await new Visitor(url, https).get('/.well-known/webauthn');
    expect(JSON.parse(text)).toEqual({ origins: ['https://login.example.de', 'https://login.example.org'] });
  });
});

test('what caches may share never renews the cookie of a visitor', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const app = await startPasskeyApp({ env: { PASSKEYS_RELATED_ORIGINS: 'https://login.example.de' } });
  const visitor = newVisitor(app);
  await signInByCode(app, visitor, newAddress(), { form: { remember: 'on' } });
  // Remembered, and seen so long ago that the next page renews the cookie.
  vi.setSystemTime(Date.now() + 3_600_000);
  for (const path of ['/.well-known/passkey-endpoints', '/.well-known/webauthn']) {
    const { headers, setCookies } = await visitor.get(path);
    expect([headers.get('Cache-Control'), setCookies]).toEqual(['public, max-age=3600', []]);
  }
  expect((await visitor.get('/admin')).setCookies).toEqual([expect.stringMatching(/^__Host-session=.*Expires=/)]);
});

describe('there are no passkeys', () => {
  test.each([
    ['where addresses are trusted', { SIGN_IN: 'trust', BASE_URL: 'https://login.example.com', TRUST_PROXY: '1' }],
    ['on an IP address', { SIGN_IN: 'code' }],
    ['under a name over http', { SIGN_IN: 'code', BASE_URL: 'http://login.example.test' }],
  ])('%s', async (_name, env) => {
    const { url } = await startApp({ env });
    const visitor = new Visitor(url, { 'X-Forwarded-Proto': 'https' });
    const { text } = await visitor.get('/login');
    expect(text.replace(/<style>[^<]*/, '')).not.toContain('passkey');
    expect(text).toContain('autocomplete="email"');
    expect((await visitor.post('/login/passkey/options')).status).toBe(404);
    expect((await visitor.get('/.well-known/passkey-endpoints')).status).toBe(404);
  });
});
