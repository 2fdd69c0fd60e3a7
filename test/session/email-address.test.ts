import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maxAddressBytes, parseAddress } from '../../src/session/email-address.ts';
import { anyText, webUrl } from '../support/text.ts';

const notAnAddress = { problem: 'That is not an e-mail address. It should look like name@example.com.' };
const tooLong = { problem: expect.stringMatching(/^That address is too long\. It can have up to 254 characters/) };
const longBeforeAt = { problem: expect.stringMatching(/^The part before the @ is too long.* 64 characters/) };

/** An address of so many characters, its parts within their own limits. */
function addressOfLength(length: number): string {
  const domain = `${'d'.repeat(63)}.`.repeat(3);
  return `${'a'.repeat(length - domain.length - 4)}@${domain}org`;
}

describe('parseAddress', () => {
  test.each([
    ['ann@example.com', 'ann@example.com'],
    ['  ann@example.com\t\r\n', 'ann@example.com'],
    // What is copied along with an address, and nobody sees.
    ['\u200bann@example.com\ufeff', 'ann@example.com'],
    ['\u202aann@example.com\u202c', 'ann@example.com'],
    [' \u2068ann@example.com\u2069 \u00a0', 'ann@example.com'],
    ['Ann.Lee@EXAMPLE.Com', 'ann.lee@example.com'],
    ["o'neil+tag=1/2@example.com", "o'neil+tag=1/2@example.com"],
    ['ann@localhost', 'ann@localhost'],
    ['"<script>"@example.com', '"<script>"@example.com'],
    ['"a b@c"@example.com', '"a b@c"@example.com'],
    [String.raw`"a\"b"@example.com`, String.raw`"a\"b"@example.com`],
    // Spellings of one mailbox, which must not be identities with limits of their own.
    ['"ann"@example.com', 'ann@example.com'],
    [String.raw`"\a\n\n"@example.com`, 'ann@example.com'],
    ['"Ann.Lee"@example.com', 'ann.lee@example.com'],
    [String.raw`"\<script>"@example.com`, '"<script>"@example.com'],
    ['"ann."@example.com', 'ann.@example.com'],
    // Mailboxes of Japanese carriers, which RFC 5321 allows only between quotes.
    ['a..b@docomo.ne.jp', 'a..b@docomo.ne.jp'],
    ['"a..b"@docomo.ne.jp', 'a..b@docomo.ne.jp'],
    ['.a-b.@ezweb.ne.jp', '.a-b.@ezweb.ne.jp'],
    // As an East Asian keyboard types them.
    ['ann＠example.com', 'ann@example.com'],
    ['ann@example．co。jp', 'ann@example.co.jp'],
    ['Ann＠ＥＸＡＭＰＬＥ．ｃｏｍ\u3000', 'ann@example.com'],
    // Composed and decomposed.
    ['jos\u00e9@example.com', 'jos\u00e9@example.com'],
    ['jose\u0301@example.com', 'jos\u00e9@example.com'],
    ['JOSE\u0301@example.com', 'jos\u00c9@example.com'],
    ['J\u030c@example.com', '\u01f0@example.com'],
    ['ann@cafe\u0301.example', 'ann@xn--caf-dma.example'],
    ['用户@例え.jp', '用户@xn--r8jz45g.jp'],
    ['Ünal@BÜCHER.example', 'Ünal@xn--bcher-kva.example'],
  ])('reads %j as %j', (typed, email) => {
    expect(parseAddress(typed)).toEqual({ email });
  });

  test.each([
    'ann',
    'ann@',
    '@example.com',
    'ann@@example.com',
    'ann lee@example.com',
    'ann@exa mple.com',
    'ann@example..com',
    'ann@-example.com',
    'ann@example.com.',
    'ann@[127.0.0.1]',
    'ann@[IPv6:::1]',
    '..@docomo.ne.jp',
    // Which of the signs separates the parts?
    'ann＠evil.example@example.com',
    '"ann＠x"@example.com',
    'ann＠＠example.com',
    // A dot of the keyboard, or a letter of another mailbox?
    'ann．lee@example.com',
    'ann。lee＠example.com',
    // What nobody can see, other than around it.
    'ann@example.com\0',
    `${'\u200b'.repeat(9)}ann@example.com`,
    'an\u00adn@example.com',
    'an\u034fn@example.com',
    'ann\ufe0f@example.com',
    'ann@exam\u00adple.com',
    'ann@exam\ufe0fple.com',
    'ann@exam\u200bple.com',
    'ann@example.com。',
    // Shorthands for IPv4 addresses.
    'ann@127.0.0.1',
    'ann@127.1',
    'ann@1.2.3',
    'ann@0x7f.1',
    'ann@１２７．１',
    'ann@2130706433',
    'ann@example.com:25',
    '"ann@example.com',
    '"a"b"@example.com',
    'Ann <ann@example.com>',
    'a@b.com, c@d.com',
    'ann\0@example.com',
    'a\r\nBcc: eve@example.com',
    '"a\u202eb"@example.com',
    'ann\ud800@example.com',
    `ann@${'d'.repeat(64)}.com`,
  ])('takes %j for no address', (typed) => {
    expect(parseAddress(typed)).toEqual(notAnAddress);
  });

  test('takes 64 bytes before the @ and not one more', () => {
    for (const letter of ['a', 'é', '用']) {
      const most = Math.floor(64 / Buffer.byteLength(letter));
      expect(parseAddress(`${letter.repeat(most)}@example.com`)).toEqual({
        email: `${letter.repeat(most)}@example.com`,
      });
      expect(parseAddress(`${letter.repeat(most + 1)}@example.com`)).toEqual(longBeforeAt);
    }
  });

  // Node's `domainToASCII` reads a URL's host, so each of these would be somebody else's address.
  test.each([
    'ann@example.com/x',
    'ann@example.com?x',
    'ann@example.com#x',
    'ann@example.com\\x',
    'ann@ex%61mple.com',
    'ann@exa\tmple.com',
    'ann@exa\nmple.com',
  ])('does not cut %j down to an address', (typed) => {
    expect(parseAddress(typed)).toEqual(notAnAddress);
  });

  test('takes 254 characters and not one more, counted after trimming', () => {
    expect(maxAddressBytes).toBe(254);
    expect(parseAddress(` ${addressOfLength(254)} `)).toEqual({ email: addressOfLength(254) });
    expect(parseAddress(addressOfLength(255))).toEqual(tooLong);
    expect(parseAddress(`${'a'.repeat(1_000_000)}@example.com`)).toEqual(tooLong);
    expect(parseAddress(`${'a.'.repeat(500)}@`)).toHaveProperty('problem');
  });

  describe('never takes one mailbox for another', () => {
    test.each([
      ['\u212aim@example.com', 'kim@example.com'],
      ['I\u0307da@example.com', 'ida@example.com'],
      ['\u0131da@example.com', 'ida@example.com'],
      ['stra\u00dfe@example.com', 'strasse@example.com'],
      ['\ufb01n@example.com', 'fin@example.com'],
      ['ａｎｎ@example.com', 'ann@example.com'],
      ['É@example.com', 'é@example.com'],
      ['ann+tag@example.com', 'ann@example.com'],
      ['a.nn@example.com', 'ann@example.com'],
      ['.ann@example.com', 'ann@example.com'],
      ['ann..lee@example.com', 'ann.lee@example.com'],
      ['ann@stra\u00dfe.example', 'ann@strasse.example'],
      ['ann@\u0131da.example', 'ann@ida.example'],
      ['ann@ex\u0430mple.com', 'ann@example.com'],
      ['"ann@example.com"@evil.example', 'ann@example.com'],
    ])('%j is not %j', (one, other) => {
      expect(parseAddress(other)).toHaveProperty('email');
      expect(parseAddress(one)).not.toEqual(parseAddress(other));
    });

    function foldCase(character: string): string {
      return character.normalize('NFKC').toLowerCase().toUpperCase().normalize('NFKC');
    }

    /** The characters that make the same address of this one, in its place. */
    function collisions(around: (character: string) => string): string[][] {
      const found = new Map<string, string[]>();
      for (let codePoint = 0x21; codePoint < 0x2_0000; codePoint += 1) {
        const character = String.fromCodePoint(codePoint);
        const address = parseAddress(around(character));
        if ('problem' in address) continue;
        const others = found.get(address.email);
        if (others) others.push(character);
        else found.set(address.email, [character]);
      }
      return [...found.values()].filter((characters) => characters.length > 1);
    }

    test('before the @, characters are one only by ASCII case, or if to Unicode they are one character', () => {
      const groups = collisions((character) => `a${character}b@example.com`);
      expect(groups.length).toBeGreaterThan(26);
      for (const characters of groups) {
        const isAscii = characters.some((character) => character < '\x80');
        const forms = characters.map((character) => (isAscii ? character.toLowerCase() : character.normalize('NFC')));
        expect([characters, new Set(forms).size]).toEqual([characters, 1]);
        if (isAscii) expect(characters.every((character) => character < '\x80')).toBe(true);
      }
    });

    test('in the domain, they are one only where IDNA maps what can be seen', () => {
      const groups = collisions((character) => `a@b${character}c.example`);
      expect(groups.length).toBeGreaterThan(26);
      for (const characters of groups) {
        const seen = characters.map((character) => foldCase(character).replaceAll(/[。｡]/g, '.'));
        expect([characters, new Set(seen).size]).toEqual([characters, 1]);
      }
    });
  });

  test.each<unknown>([
    undefined,
    null,
    7,
    true,
    ['ann@example.com'],
    { email: 'ann@example.com' },
    { toString: () => 'ann@example.com' },
    '',
    ' \t\r\n',
  ])('asks for an address instead of %j', (typed) => {
    expect(parseAddress(typed)).toEqual({ problem: 'Enter your e-mail address.' });
  });

  const trickyText = fc
    .array(
      fc.constantFrom(...'aJKé.@"\\.1-＠．。ßıİ'.split(''), '\u0301', '\u030c', '\u0307', '\u212a', '\u00ad', 'xn--'),
    )
    .map((characters) => characters.join(''));

  test('reads composed and decomposed text as the same address', () => {
    fc.assert(
      fc.property(fc.tuple(fc.oneof(trickyText, anyText), trickyText), (parts) => {
        const typed = parts.join('@');
        expect(parseAddress(typed.normalize('NFD'))).toEqual(parseAddress(typed.normalize('NFC')));
      }),
      { numRuns: 3000 },
    );
  });

  test('reads what it made once more as the same, for any text', () => {
    const text = fc.oneof(
      anyText,
      fc.emailAddress(),
      fc.tuple(anyText, fc.domain()).map((parts) => parts.join('@')),
      fc.tuple(trickyText, trickyText).map((parts) => parts.join('@')),
      fc.tuple(fc.string({ minLength: 1 }), webUrl).map((parts) => parts.join('@').replace('https://', '')),
    );
    fc.assert(
      fc.property(text, (typed) => {
        const address = parseAddress(typed);
        if ('problem' in address) return;
        expect(parseAddress(address.email)).toEqual(address);
        expect(Buffer.byteLength(address.email)).toBeLessThanOrEqual(maxAddressBytes);
        expect(address.email).not.toMatch(/[\p{Cc}\p{Cf}]/u);
        expect(address.email.normalize('NFC')).toBe(address.email);
      }),
      { numRuns: 3000 },
    );
  });
});
