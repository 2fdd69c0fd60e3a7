import express from 'express';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pathOf, safeReturnPath } from '../../src/http/return-path.ts';
import { anyText, webUrl } from '../support/text.ts';

const origin = 'https://login.example.com';

describe('safeReturnPath', () => {
  test.each([
    '/',
    '/admin',
    '/admin/login',
    '/admin?tab=2',
    '/admin#sessions',
    '/a/b;c=d',
    '/caf%C3%A9',
    '/a?to=//elsewhere',
  ])('keeps %s', (path) => {
    expect(safeReturnPath(path)).toBe(path);
  });

  // ASVS 3.7.2
  test.each([
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    '\t//evil.example',
    ' //evil.example',
    '/.//evil.example',
    '/a/..//evil.example',
    '/%2e//evil.example',
    '/%2E%2E//evil.example',
    'https://evil.example',
    'https:evil.example',
    'https:/evil.example',
    'HTTP://evil.example',
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'evil.example',
    'evil.example/admin',
    ' /admin',
    '@evil.example',
    '.evil.example',
    '?next=x',
    '#x',
    '',
    '/a\0b',
    '/a\r\nSet-Cookie: session=forged',
    '/a\u0085b',
    `/${'a'.repeat(2000)}`,
    // These are as long once encoded, and proxies accept headers of a few kB.
    `/${'é'.repeat(400)}`,
    `/${'\u{1f511}'.repeat(200)}`,
  ])('goes to /admin instead of %j', (wanted) => {
    expect(safeReturnPath(wanted)).toBe('/admin');
  });

  test('keeps up to 2,000 characters', () => {
    const longest = `/${'a'.repeat(1999)}`;
    expect(safeReturnPath(longest)).toBe(longest);
  });

  test.each([undefined, null, 7, true, ['/home'], { toString: () => '/home' }])('does not accept %j', (wanted) => {
    expect(safeReturnPath(wanted)).toBe('/admin');
  });

  test.each([
    '/logout',
    '/logout/',
    '/LogOut',
    '/logout?x',
    '/a/../logout',
    '/login',
    '/login/',
    '/login#x',
    '/login/again',
  ])('leads neither to the logout nor in a circle: %s', (wanted) => {
    expect(safeReturnPath(wanted)).toBe('/admin');
  });

  test('always stays on this site, and returns its own results unchanged', () => {
    const piece = fc.oneof(
      fc.constantFrom('/', '\\', '.', '..', '%2e', '%2f', '%5c', '@', ':', '?', '#', '\t', '\n', ' ', 'evil.example'),
      fc.constantFrom('https:', 'javascript:', '\u2028', '\u3002', '\uff0f', '\ud800', '\u0000', 'logout', ';'),
      anyText,
    );
    const hostile = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(fc.oneof(hostile, webUrl, fc.string()), fc.boolean(), (text, slash) => {
        const next = safeReturnPath(slash ? `/${text}` : text);
        expect(next).toMatch(/^\/(?![/\\])[\x21-\x7e]*$/);
        expect(new URL(next, origin).origin).toBe(origin);
        expect(safeReturnPath(next)).toBe(next);
      }),
      { numRuns: 3000 },
    );
  });
});

test.each([
  ['/admin?a=1', '/admin?a=1'],
  ['//evil.example/x', '/evil.example/x'],
  ['/\\/evil.example', '/evil.example'],
  ['http://evil.example//x', '/http://evil.example//x'],
])('a request for %s went to %s, as a link of this site', (originalUrl, path) => {
  expect(pathOf(Object.assign(Object.create(express.request), { originalUrl }))).toBe(path);
});
