import { expect, test } from 'vitest';
import { decode, encode, isBindingInForce, type StoredSession } from '../../src/session/record.ts';
import { replaceScript } from '../../src/session/scripts.ts';
import { connectNode } from '../support/app.ts';
import { testRedis } from '../support/test-redis.ts';

const redis = await connectNode(await testRedis());
const plain = { email: 'ann@example.com', signedInAt: 1_700_000_000_000, lastSeenAt: 1_700_000_000_000 };

/** A record with this binding, and with what a fork keeps. */
function record(binding: string | undefined, extras: object): string {
  return encode({ ...plain, remember: false, device: '{"Odd"} browser', ...extras, binding } as StoredSession);
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
    await redis.eval(replaceScript, { keys: ['record'], arguments: [record(saved, extras)] });
    const { binding, ...rest } = decode((await redis.get('record')) ?? '') ?? {};
    expect({ stored, saved, binding }).toEqual({ stored, saved, binding: left });
    expect(rest).toEqual(decode(record(undefined, extras)));
  }
});

test.each([
  [undefined, false],
  ['0:key', false],
  ['1:key0', true],
  ['', true],
])('isBindingInForce(%j) is %s', (binding, expected) => {
  expect(isBindingInForce(binding)).toBe(expected);
});
