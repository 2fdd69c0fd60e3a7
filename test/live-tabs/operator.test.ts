import { expect, test } from 'vitest';
import { handleOf } from '../../src/session/session-id.ts';
import { latchkeyOn } from '../cli/run-latchkey.ts';
import { startApp, testRedis } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { expectEnd, listen } from './listener.ts';

const redisAddress = await testRedis();
const env = { REDIS_KEY_PREFIX: 'latchkey:' };
const { url } = await startApp({ redisAddress, env });
const latchkey = latchkeyOn(`unix://${redisAddress.socketPath}`, env);
const email = 'ann@example.com';

test.each<[string, (handle: string) => string[]]>([
  ['end ADDRESS', () => ['end', email]],
  ['end ADDRESS --session SESSION', (handle) => ['end', email, '--session', handle]],
  ['end --everyone', () => ['end', '--everyone']],
  ['forget ADDRESS', () => ['forget', email]],
])('a stream says that its session has ended by `latchkey %s`', async (_command, words) => {
  const visitor = await signedIn(url, email);
  const listener = await listen(url, visitor);
  await latchkey(...words(handleOf(visitor.sessionId)));
  await expectEnd(listener, email);
});

test('a stream of a session that begins after `latchkey end --everyone` goes on', async () => {
  await latchkey('end', '--everyone');
  const listener = await listen(url, await signedIn(url, email));
  await latchkey('end', 'somebody.else@example.com');
  expect([listener.isOpen(), listener.owners().length]).toEqual([true, 1]);
});
