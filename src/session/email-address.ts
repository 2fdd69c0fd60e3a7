import { domainToASCII } from 'node:url';

declare const canonical: unique symbol;

/**
 * An e-mail address in the canonical form that identifies a person. Only `parseAddress` makes one, so the compiler
 * refuses a string that was merely typed.
 */
export type EmailAddress = string & { readonly [canonical]: true };

/** A canonical address, or what is wrong with the one that was typed, worded for the visitor. */
export type ParsedAddress = { email: EmailAddress } | { problem: string };

/** RFC 5321, 4.5.3.1.3, less the angle brackets. */
export const maxAddressBytes = 254;
/** RFC 5321, 4.5.3.1.1. */
const maxLocalPartBytes = 64;

const atom = String.raw`[^\s\p{C}"(),.:;<>@[\\\]]+`;
const quoted = String.raw`"(?:[^"\\\p{C}]|\\[\x20-\x7e])*"`;
const dotAtom = new RegExp(String.raw`^${atom}(?:\.${atom})*$`, 'u');
const quotedString = new RegExp(`^${quoted}$`, 'u');
// `domainToASCII` reads a URL's host: it takes a `/` for the end, and `%61` for an `a`.
const domainCharacters = /^[a-z0-9.\-\u{80}-\u{10ffff}]+$/iu;
const domainName = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

/**
 * Reads an e-mail address as RFC 5321 and 6531 have it, quoted and international ones included.
 *
 * Letters of the local part are lower-cased only within ASCII: Unicode's rules map foreign letters onto ASCII
 * ones (the Kelvin sign becomes `k`), and with that one person's address onto another's.
 * @param typed any value that a request may hold
 */
export function parseAddress(typed: unknown): ParsedAddress {
  const text = typeof typed === 'string' ? typed.trim() : '';
  if (text === '') return { problem: 'Enter your e-mail address.' };
  const at = text.lastIndexOf('@');
  const local = canonicalLocalPart(text.slice(0, Math.max(at, 0)));
  const typedDomain = text.slice(at + 1);
  const domain = domainCharacters.test(typedDomain) ? domainToASCII(typedDomain) : '';
  const email = `${local ?? ''}@${domain}` as EmailAddress;
  // The standard counts bytes.
  if (Buffer.byteLength(text) > maxAddressBytes || Buffer.byteLength(email) > maxAddressBytes) {
    return {
      problem: `That address is too long. It can have up to ${maxAddressBytes} characters, or fewer with letters like é.`,
    };
  }
  if (local !== undefined && Buffer.byteLength(local) > maxLocalPartBytes) {
    return {
      problem: `The part before the @ is too long. It can have up to ${maxLocalPartBytes} characters, or fewer with letters like é.`,
    };
  }
  if (local === undefined || !domainName.test(domain)) {
    return { problem: 'That is not an e-mail address. It should look like name@example.com.' };
  }
  return { email };
}

// Quotes and backslashes that are not needed name the same mailbox as without them (RFC 5321, 4.1.2), and each
// spelling would be an identity with limits of its own.
function canonicalLocalPart(typed: string): string | undefined {
  const local = typed.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
  if (dotAtom.test(local)) return local;
  if (!quotedString.test(local)) return undefined;
  const content = local.slice(1, -1).replace(/\\(.)/g, '$1');
  return dotAtom.test(content) ? content : `"${content.replace(/["\\]/g, '\\$&')}"`;
}
