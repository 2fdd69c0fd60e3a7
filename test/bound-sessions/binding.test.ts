import { expect, test } from 'vitest';
import { replaceBoundScript } from '../../src/features/bound-sessions/binding.ts';
import { decode, encode, type StoredSession } from '../../src/session/record.ts';
import { isBindingInForce } from '../../src/shared/session-binding.ts';
import { connectNode } from '../support/app.ts';
import { testRedis } from '../support/test-redis.ts';

const redis = await connectNode(await testRedis());
const plain = { email: 'ann@example.com', signedInAt: 1_700_000_000_000, lastSeenAt: 1_700_000_000_000 };

/** A record with this binding, and with what a fork keeps. */
function record(binding: string | undefined, extras: object): string {
  return encode({ ...plain, remember: false, device: '{"Odd"} browser', binding, ...extras } as StoredSession);
}

const kept = [{}, { theme: 'dark' }, { note: '{"binding":"9"', nested: { binding: '9' } }];

test.each(kept)('a slow request does not undo a binding, and stores its own changes: %o', async (extras) => {
  for (const [stored, saved, left] of [
    [undefined, undefined, undefined],
    ['0K-_k', undefined, '0K-_k'],
    ['1K-_k', '0K-_k', '1K-_k'],
    ['0K-_k', '1K-_k', '1K-_k'],
    [undefined, '1K-_k', '1K-_k'],
  ]) {
    await redis.set('record', record(stored, { theme: 'light' }));
    await redis.eval(replaceBoundScript, { keys: ['record'], arguments: [record(saved, extras)] });
    const { binding, ...rest } = decode((await redis.get('record')) ?? '') ?? {};
    expect({ stored, saved, binding }).toEqual({ stored, saved, binding: left });
    expect(rest).toEqual(decode(record(undefined, extras)));
  }
});

test('a record has its binding before what a fork keeps, and still has when it is read and stored again', () => {
  const bound = record('1k', { kept: [7] });
  expect(bound).toMatch(/\n\{"binding":"1k","kept":\[7\]\}$/);
  expect(encode(decode(bound) as StoredSession)).toBe(bound);
});

test.each([
  [undefined, false],
  ['0:key', false],
  ['1:key0', true],
  ['', true],
])('isBindingInForce(%j) is %s', (binding, expected) => {
  expect(isBindingInForce(binding)).toBe(expected);
});
