import { expect, test } from 'vitest';
import { emailCodeKeys } from '../../src/features/email-code/personal-keys.ts';
import { handleOf, newSessionId, tagOf } from '../../src/session/session-id.ts';
import { address } from '../support/address.ts';

const person = { email: address('ann@example.com'), tag: tagOf('ann@example.com') };
const { tag } = person;
const device = 'D'.repeat(22);

/** What is said of a key with this value. */
function describeKey(name: string, value: string): object | undefined {
  const about = emailCodeKeys.find(({ prefix }) => name.startsWith(prefix.replace('tag', tag)));
  return about?.describe(name, value, person);
}

test.each([
  [`c:{${tag}}x`, '1 w salt hash 0 - 0 5 1 ann@example.com', { state: 'waits to be entered' }],
  [`c:{${tag}}x`, '1 u salt hash 0 - 0 5 1 ann@example.com 1 w', { state: 'used' }],
  [`d:{${tag}}${device}`, 'pending', { state: 'waits for the notice to be delivered' }],
  [`d:{${tag}}${device}`, '1', { state: 'made new again' }],
  [`l:{${tag}}mail:3600`, '5', { counter: 'mail:3600', used: 5 }],
  [`l:{${tag}}mail:${device}:3600`, '2', { counter: 'mail:3600', used: 2 }],
])('%s with %j is described without an id', (name, value, described) => {
  expect(describeKey(name, value)).toEqual(described);
});

test('a link is described by its session, if that is one of the person', () => {
  const [own, other] = [newSessionId(tag), newSessionId(tagOf('bob@example.com'))];
  expect(describeKey('n:x', `${own} ${device}`)).toEqual({ session: handleOf(own) });
  expect(describeKey('n:x', `${other} ${device}`)).toBeUndefined();
  expect(describeKey('n:x', '')).toBeUndefined();
});
