import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maxAddressBytes, parseAddress } from '../../src/session/email-address.ts';
import { anyText } from '../support/text.ts';

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
    ['"ann."@example.com', '"ann."@example.com'],
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
    '.ann@example.com',
    'ann.@example.com',
    'a..b@example.com',
    'ann@example..com',
    'ann@-example.com',
    'ann@example.com.',
    'ann@[127.0.0.1]',
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
  });

  // Unicode's lower case of the Kelvin sign is an ASCII k.
  test('does not turn a foreign letter into an ASCII one', () => {
    expect(parseAddress('\u212aim@example.com')).not.toEqual(parseAddress('kim@example.com'));
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

  test('reads what it made once more as the same, for any text', () => {
    const text = fc.oneof(
      anyText,
      fc.emailAddress(),
      fc.tuple(anyText, fc.domain()).map((parts) => parts.join('@')),
      fc.tuple(fc.string({ minLength: 1 }), fc.webUrl()).map((parts) => parts.join('@').replace('https://', '')),
    );
    fc.assert(
      fc.property(text, (typed) => {
        const address = parseAddress(typed);
        if ('problem' in address) return;
        expect(parseAddress(address.email)).toEqual(address);
        expect(Buffer.byteLength(address.email)).toBeLessThanOrEqual(maxAddressBytes);
        expect(address.email).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      }),
      { numRuns: 3000 },
    );
  });
});
