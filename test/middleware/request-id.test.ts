import { expect, test } from 'vitest';
import { startApp } from '../support/app.ts';
import { Visitor } from '../support/visitor.ts';

test('each response says by which id the log knows its request, and each request has another', async () => {
  const { url, logged } = await startApp();
  const visitor = new Visitor(url);
  const [first, second] = [await visitor.get('/nowhere'), await visitor.signIn('ann@example.com')];
  const ids = [first, second].map(({ headers }) => headers.get('X-Request-Id'));
  expect(ids).toEqual([expect.stringMatching(/^[\da-f]{19}$/), expect.stringMatching(/^[\da-f]{19}$/)]);
  expect(ids[0]).not.toBe(ids[1]);
  expect(logged().find(({ msg }) => msg === 'signed in')?.id).toBe(ids[1]);
});
