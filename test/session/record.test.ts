import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EmailAddress } from '../../src/session/email-address.ts';
import { decode, encode, encodeMoment, type StoredSession } from '../../src/session/record.ts';
import { address } from '../support/address.ts';

const seconds = 0x6553f100;
const session: StoredSession = {
  email: address('ann@example.com'),
  signedInAt: 1_700_000_000_000,
  lastSeenAt: seconds * 1000,
  remember: false,
  device: 'Firefox on Linux',
};
const plain = '6553f100loyw3v280ann@example.com\nFirefox on Linux';

// Sessions outlive a release, so the next one has to read what this one stored.
describe('a record', () => {
  test.each<[string, Partial<StoredSession>, string]>([
    ['of a plain session', {}, plain],
    ['of a remembered one', { remember: true }, plain.replace('0ann', '1ann')],
    ['of an anonymous one', { email: undefined, device: undefined }, '6553f100loyw3v280\n'],
    ['with what a fork keeps', Object.assign({ kept: [7] }), `${plain}\n{"kept":[7]}`],
    ['without what is undefined', Object.assign({ kept: undefined }), plain],
    ['of early moments', { lastSeenAt: 1000, signedInAt: 1 }, '00000001000000010ann@example.com\nFirefox on Linux'],
  ])('%s is as it always was, and is read again', (_, change, record) => {
    const stored = { ...session, ...change };
    expect(encode(stored)).toBe(record);
    expect(decode(record)).toEqual(stored);
  });

  test('leaves out the cookie, which is configuration', () => {
    expect(encode(Object.assign({ cookie: { path: '/' } }, session))).toBe(plain);
  });

  test.each<Partial<StoredSession>>([
    { email: 'ann@example.com\n' as EmailAddress },
    { email: 'ann@example.com\0' as EmailAddress },
    { device: 'Fire\nfox' },
    { device: 'Fire\0fox' },
    { device: null as unknown as string },
    { device: { id: 7 } as unknown as string },
  ])('cannot hold %j, which would be read as something else', (change) => {
    expect(() => encode({ ...session, ...change })).toThrow(TypeError);
  });

  test.each([
    '',
    'x',
    plain.replace(/^.{8}/, '00000000'),
    plain.replace(/^(.{8}).{8}/, '$100000000'),
    plain.replace('0ann', '2ann'),
    plain.replace('\n', ''),
    `x${plain}`,
    `${plain}\n`,
    `${plain}\n{"kept":`,
    `${plain}\n["kept"]`,
    `${plain}\n{}\n{}`,
    `${plain}\0`,
    plain.replace('@', '\0'),
    `${plain}\n{"kept":"\0"}`,
  ])('is refused when it is %j', (record) => {
    expect(decode(record)).toBeUndefined();
  });

  test('cannot be given an identity by what a fork keeps', () => {
    expect(decode(`${plain}\n{"email":"eve@example.com","remember":true}`)).toEqual(session);
  });

  test('of any session is read as it was', () => {
    const line = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/[\n\0]/.test(text));
    fc.assert(
      fc.property(fc.nat(2 ** 31 - 2), fc.nat(36 ** 8 - 2), fc.boolean(), line, fc.jsonValue(), (...values) => {
        const [lastSeen, signedIn, remember, device, kept] = values;
        const moments = { lastSeenAt: (lastSeen + 1) * 1000, signedInAt: signedIn + 1 };
        const stored = { ...session, ...moments, remember, device, ...(kept !== undefined && { kept }) };
        const record = encode(stored);
        expect(record).not.toContain('\0');
        expect(decode(record)).toEqual(JSON.parse(JSON.stringify(stored)));
      }),
    );
  });

  test('begins with the second in which its session was last seen', () => {
    expect(encodeMoment(seconds * 1000 + 999)).toBe('6553f100');
  });
});
