import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressToUnicode } from '../../src/features/international-addresses/address-to-unicode.ts';
import { parseAddress } from '../../src/session/email-address.ts';

function canonical(typed: string) {
  const parsed = parseAddress(typed);
  if ('problem' in parsed) throw new Error(`${typed}: ${parsed.problem}`);
  return parsed.email;
}

describe('addressToUnicode', () => {
  test.each([
    'ann@example.com',
    'ann@bücher.example',
    'ann@straße.de',
    'ann@łódź.pl',
    'ann@пример.com',
    'ann@παράδειγμα.gr',
    '用户@例え.jp',
    'ann@ドメイン名例.jp',
    'ann@중앙대학교.kr',
    'ann@उदाहरण.भारत',
    'ann@ตัวอย่าง.ไทย',
    'ann@ایران.مصر',
  ])('shows %s as it was typed', (typed) => {
    expect(addressToUnicode(canonical(typed))).toBe(typed);
  });

  // Each looks like another domain, or like an address that ends elsewhere.
  test.each([
    ['a whole label of Cyrillic lookalikes', 'ann@аррӏе.com'],
    ['Cyrillic among Latin letters', 'ann@pаypal.com'],
    ['Greek among Latin letters', 'ann@gοοgle.com'],
    ['a whole label of Greek lookalikes', 'ann@ουτ.com'],
    ['a Latin letter that looks like another', 'ann@lıdl.com'],
    ['a letter like a slash', 'ann@example.comノlogin.jp'],
    ['a letter like a hyphen', 'ann@1一2.com'],
    ['directions that mix', 'ann@אבג.דהו.com'],
    ['digits of another script', 'ann@०१२.com'],
    ['a mark on a mark', 'ann@कःः.com'],
    ['a script that is not on the list', 'ann@ᏚᎬᏒ.com'],
  ])('keeps %s in ASCII: %s', (_what, typed) => {
    const email = canonical(typed);
    expect(addressToUnicode(email)).toBe(email);
    expect(email).toMatch(/@.*xn--/);
  });

  test('decides for each label, and leaves what stands before the @ alone', () => {
    expect(addressToUnicode(canonical('xn--bcher-kva@аррӏе.bücher.example'))).toBe(
      'xn--bcher-kva@xn--80ak6aa92e.bücher.example',
    );
  });

  test('shows what is read back as the same address', () => {
    const label = fc.string({ unit: fc.constantFrom(...'abßıлаγοאסبसः०ไม例えノー한1-'), minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 3 }), (labels) => {
        const parsed = parseAddress(`ann@${labels.join('.')}`);
        if ('problem' in parsed) return;
        expect(parseAddress(addressToUnicode(parsed.email))).toEqual(parsed);
      }),
      { numRuns: 3000 },
    );
  });
});
