import request, { type Test } from 'supertest';
import { Visitor } from './visitor.ts';

/** The three kinds of client, by what they send along. */
export const clients = {
  html: { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' },
  text: { Accept: 'text/plain' },
  json: { Accept: 'application/json' },
};

/** What the older client's `XMLHttpRequest` sends along. */
export const xhr = { 'X-Requested-With': 'XMLHttpRequest', Accept: '*/*' };

export type Method = 'get' | 'head' | 'post' | 'put' | 'patch' | 'delete' | 'options' | 'trace';

/**
 * A request with just these headers, of a visitor if one is given: `fetch` adds Fetch Metadata of its own,
 * and can't set what a browser would send.
 */
export function ask(url: string, method: Method, path: string, visitor?: Visitor): Test {
  const asked = request(url)[method](path).redirects(0);
  return visitor && visitor.cookieHeader !== '' ? asked.set('Cookie', visitor.cookieHeader) : asked;
}

/** Somebody who has signed in. */
export async function signedIn(url: string, email = 'ann@example.com', headers = {}): Promise<Visitor> {
  const visitor = new Visitor(url, headers);
  await visitor.signIn(email);
  return visitor;
}
