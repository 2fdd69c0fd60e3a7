import { expect, test } from 'vitest';
import { tagOf } from '../../src/session/session-id.ts';
import { signedIn } from '../support/client.ts';
import { startServer } from '../support/process.ts';
import { expectEnd, listen } from './listener.ts';

test('every worker tells its browsers, and a shutdown waits for none of them', async () => {
  const server = await startServer({ env: { WORKERS: '2', SIGN_IN: 'trust' } });
  const [ann, bob] = [await signedIn(server.url()), await signedIn(server.url(), 'bob@example.com')];
  const ending = await Promise.all(Array.from({ length: 4 }, () => listen(server.url(), ann)));
  const staying = await Promise.all(Array.from({ length: 4 }, () => listen(server.url(), bob)));
  await ann.post('/logout');
  await Promise.all(ending.map((listener) => expectEnd(listener)));
  process.kill(server.pid, 'SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
  expect(server.logged('closed connections whose requests did not end')).toEqual([]);
  for (const { isOpen, owners } of staying) {
    await expect.poll(isOpen).toBe(false);
    expect(owners()).toEqual([tagOf('bob@example.com')]);
  }
});
