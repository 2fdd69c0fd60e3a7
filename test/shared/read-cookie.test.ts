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
