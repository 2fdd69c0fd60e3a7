import type { Request } from 'express';
import { expect, test } from 'vitest';
import { readCookie } from '../../src/shared/read-cookie.ts';

test('a cookie is read by its whole name, wherever it stands', () => {
  const read = (header: string | undefined, name = '__Host-login') =>
    readCookie({ headers: { cookie: header } } as Request, name);
  for (const header of ['__Host-login=a', 'x=1; __Host-login=a', 'x=1;__Host-login=a; y=2']) {
    expect([header, read(header)]).toEqual([header, 'a']);
  }
  for (const header of [
    undefined,
    '',
    'x__Host-login=a',
    'x=__Host-login=a',
    '__Host-login2=a',
    'x=1; y__Host-login=a',
  ]) {
    expect([header, read(header)]).toEqual([header, undefined]);
  }
  expect(read('x__Host-login=forged; __Host-login=a')).toBe('a');
});

test('white space and quotes around a value are no part of it, and those within it are', () => {
  const read = (header: string) => readCookie({ headers: { cookie: header } } as Request, 'login');
  // As many as fit into a header.
  const spaces = ' '.repeat(16_000);
  for (const value of ['a', 'a"b', `a${spaces}b`]) {
    for (const written of [value, `"${value}"`, `\t ${value} \t`]) {
      expect(read(`x=1;  login =${written};y=2`) === value).toBe(true);
    }
  }
  expect(read(`login=a${spaces}`)).toBe('a');
  expect(read('login="a"b')).toBe('"a"b');
});
