import { domainToASCII } from 'node:url';

declare const canonical: unique symbol;

/** An address in the canonical form that identifies a person. The compiler accepts only what `parseAddress` returns. */
export type EmailAddress = string & { readonly [canonical]: true };

/** A canonical address, or what is wrong with the one that was typed, worded for the visitor. */
export type ParsedAddress = { email: EmailAddress } | { problem: string };

export const maxAddressBytes = 254; // RFC 5321, 4.5.3.1.3, less the angle brackets.
const maxLocalPartBytes = 64; // RFC 5321, 4.5.3.1.1.
const maxTypedLength = 4 * maxAddressBytes; // A character can be typed as several that NFC makes one of.

// Dots may stand anywhere: Japanese carriers gave out a..b@docomo.ne.jp and .a@docomo.ne.jp, against RFC 5321.
// Before the @, `．` and `。` would name a mailbox of their own, and with a second `＠` nobody knows where the domain begins.
const atom = String.raw`[^\s\p{C}\p{DI}"(),.:;<>@＠[\\\]．。｡]+`;
const dotAtom = new RegExp(String.raw`^\.*${atom}(?:\.+${atom})*\.*$`, 'u');
const quotedString = /^"(?:[^"\\＠\p{C}\p{DI}]|\\[\x20-\x7e])*"$/u;
// `domainToASCII` reads a URL's host: it takes a `/` for the end, and `%61` for an `a`. It drops what cannot be seen,
// except for the joiners, which some scripts need.
const domainCharacters = /^(?:[a-z0-9.-]|\u200c|\u200d|(?!\p{DI})[\u{80}-\u{10ffff}])+$/iu;
const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
// A last label of digits would be a shorthand for an IPv4 address: 127.1 is 127.0.0.1.
const domainName = new RegExp(String.raw`^(?:${label}\.)*(?!\d+$)${label}$`);

/**
 * Reads an e-mail address as RFC 5321 and 6531 have it, quoted and international ones included.
 *
 * Two spellings are one address only if they name one mailbox: white space and a few invisible characters around it; the case
 * of ASCII letters; the canonical composition of characters (NFC); needless quotes; in the domain, what IDNA maps (UTS #46);
 * and the `＠` of East Asian keyboards where there is no `@`. Nothing else, since Unicode's other rules map foreign letters
 * onto ASCII ones (the Kelvin sign becomes `k`), and with that one person's address onto another's.
 * @param typed any value that a request may hold
 */
export function parseAddress(typed: unknown): ParsedAddress {
  const text = typeof typed === 'string' ? typed.trim().replace(/^[\s\p{DI}]{1,8}|[\s\p{DI}]{1,8}$/gu, '') : '';
  if (text === '') return { problem: 'Enter your e-mail address.' };
  if (text.length > maxTypedLength) return tooLong('That address', maxAddressBytes);
  const at = text.lastIndexOf(text.includes('@') ? '@' : '＠');
  const typedDomain = text.slice(at + 1);
  const local = canonicalLocalPart(text.slice(0, Math.max(at, 0)));
  const domain = domainCharacters.test(typedDomain) ? domainToASCII(typedDomain) : '';
  const email = `${local ?? ''}@${domain}` as EmailAddress;
  // The standard counts bytes.
  if (Buffer.byteLength(email) > maxAddressBytes) return tooLong('That address', maxAddressBytes);
  if (local !== undefined && Buffer.byteLength(local) > maxLocalPartBytes) {
    return tooLong('The part before the @', maxLocalPartBytes);
  }
  if (local === undefined || !domainName.test(domain)) {
    return { problem: 'That is not an e-mail address. It should look like name@example.com.' };
  }
  return { email };
}

/** The same address. @throws {TypeError} for what only a caller without types can pass, such as one that was not parsed */
export function requireCanonical(email: EmailAddress): EmailAddress {
  const address = parseAddress(email);
  if ('email' in address && address.email === email) return email;
  throw new TypeError('this takes the `email` of what parseAddress() returned; this address was not parsed');
}

function tooLong(what: string, max: number): ParsedAddress {
  return { problem: `${what} is too long. It can have up to ${max} characters, or fewer with letters like é.` };
}

// Quotes and backslashes that are not needed name the same mailbox as without them (RFC 5321, 4.1.2), and each
// spelling would be an identity with limits of its own.
function canonicalLocalPart(typed: string): string | undefined {
  if (hasAsciiLookalike(typed)) return undefined;
  const lower = typed.normalize('NFC').replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
  // Lower case can make a pair that has a composed form of its own: J with a caron has none, j has.
  const local = lower.normalize('NFC');
  if (dotAtom.test(local)) return local;
  if (!quotedString.test(local)) return undefined;
  const content = local.slice(1, -1).replace(/\\(.)/g, '$1');
  return dotAtom.test(content) ? content : `"${content.replace(/["\\]/g, '\\$&')}"`;
}

// A few characters are nothing but another spelling of an ASCII one to NFC: the Kelvin sign, the Greek question mark.
function hasAsciiLookalike(text: string): boolean {
  return [...text].some((character) => /[^\0-\x7f]/.test(character) && /[\0-\x7f]/.test(character.normalize('NFC')));
}
