import { expect, test } from 'vitest';
import { anonymousTag, belongsTo, isSessionId, keysOf, newSessionId, tagOf } from '../../src/session/session-id.ts';

const ann = newSessionId(tagOf('ann@example.com'));
const anonymous = newSessionId(anonymousTag);

// Another tag would hide the sessions of earlier releases from "end all sessions".
test('the tag of an address is what it always was', () => {
  expect(tagOf('ann@example.com')).toBe('WIlQR6VCc_4oaB');
});

test('an id belongs to its own address alone', () => {
  expect(belongsTo(ann, 'ann@example.com')).toBe(true);
  expect(belongsTo(ann, 'eve@example.com')).toBe(false);
  expect(belongsTo(ann, undefined)).toBe(false);
  expect(belongsTo(anonymous, undefined)).toBe(true);
  expect(belongsTo(anonymous, 'ann@example.com')).toBe(false);
});

test('only the session of an address is in a list', () => {
  expect(keysOf(ann)).toEqual([`{${ann.slice(0, 14)}}${ann.slice(14)}`, ann.slice(0, 14)]);
  expect(keysOf(anonymous)).toEqual([`{${anonymousTag}}${anonymous.slice(14)}`]);
});

test.each([
  [ann, true],
  [ann.slice(1), false],
  [`${ann}A`, false],
  [`${ann.slice(1)}.`, false],
  [`${ann}\n`, false],
  ['', false],
])('isSessionId(%j) is %s', (text, expected) => {
  expect(isSessionId(text)).toBe(expected);
});
