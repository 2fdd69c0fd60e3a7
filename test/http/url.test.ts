import { describe, expect, test } from 'vitest';
import { isDecodable, isHost, isLoopback, parseUrl } from '../../src/http/url.ts';

test('a URL beyond ASCII is read however often it is asked for', () => {
  const texts = ['https://bücher.example/é', 'https://example.com/'];
  const isRead = (text: string) => parseUrl(text) !== undefined;
  // Node 20's own URL.canParse goes wrong after some ten thousand calls, once it has been optimized.
  let refused = 0;
  for (let calls = 0; calls < 100_000; calls += 1) if (!isRead(texts[calls % 2] ?? '')) refused += 1;
  expect(refused).toBe(0);
  expect(parseUrl('https://')).toBeUndefined();
});

test.each([
  ['/caf%C3%A9', true],
  ['/%', false],
  ['/%zz', false],
  ['/%ff', false],
])('isDecodable(%j) is %s', (text, expected) => {
  expect(isDecodable(text)).toBe(expected);
});

describe('a host name', () => {
  const hostOf = (text: string) => parseUrl(text)?.hostname ?? '';

  test.each([
    'http://localhost',
    'http://login.example.com',
    'http://login.example.com.',
    'http://bücher.example',
    'smtp://bücher.example',
    'http://10.0.0.0',
    'http://0.0.0.0.example',
    'http://[::1]',
    'http://[2001:db8::7]',
    'smtp://mail_1',
    'smtp://MAIL-1',
  ])('can be that of %s', (text) => {
    expect(isHost(hostOf(text))).toBe(true);
  });

  test.each([
    `http://\${HOST}`,
    `smtp://\${HOST}`,
    'smtp://%24HOST',
    'http://$HOST',
    'http://one.example,two.example',
    'http://login.example.com;',
    "http://'login.example.com'",
    'http://*.example.com',
    'http://login..example.com',
    'http://.example.com',
    'smtp://b%7Gcher.example',
    'http://0.0.0.0',
    'http://[::]',
    'smtp://',
  ])('cannot be that of %s', (text) => {
    expect(isHost(hostOf(text))).toBe(false);
  });

  test.each(['a[::1]', '[::1]a'])('cannot be %s, which no URL has', (hostname) => {
    expect(isHost(hostname)).toBe(false);
  });

  test.each(['localhost', '[::1]', '127.0.0.1', '127.12.34.255'])('%s is this machine', (hostname) => {
    expect(isLoopback(hostname)).toBe(true);
  });

  test.each([
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'x127.0.0.1',
    '127.a.b.c',
    '127.0.0',
    '10.0.0.1',
    '[::2]',
    '',
  ])('%j may be another one', (hostname) => {
    expect(isLoopback(hostname)).toBe(false);
  });
});
