import fc from 'fast-check';

/** Texts of any code points at all, lone surrogates too. fast-check's own `binary` unit takes a second to set up. */
export const anyText = fc.string({
  unit: fc.integer({ min: 0, max: 0x10ffff }).map((codePoint) => String.fromCodePoint(codePoint)),
});

const unescaped = [..."abcxyzABCXYZ0189-._~!$&'()*+,;=:@"];
const escaped = fc.oneof(
  fc.constantFrom('%2e', '%2F', '%5c', '%25', '%00', '%0A', '%61', '%7E'),
  fc
    .integer({ min: 0x80, max: 0x10ffff })
    .filter((codePoint) => codePoint < 0xd800 || codePoint > 0xdfff)
    .map((codePoint) => encodeURIComponent(String.fromCodePoint(codePoint))),
);
const pathCharacter = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...unescaped) },
  { weight: 1, arbitrary: escaped },
);

/** Paths of a URL (RFC 3986): empty, or segments behind slashes. fast-check's own take a second to set up. */
export const urlPath = fc
  .array(fc.string({ unit: pathCharacter }))
  .map((segments) => segments.map((segment) => `/${segment}`).join(''));

/** Addresses of web pages, without a query. */
export const webUrl = fc
  .tuple(fc.constantFrom('http', 'https'), fc.domain(), urlPath)
  .map(([scheme, domain, path]) => `${scheme}://${domain}${path}`);

// feature: gate
const queryCharacter = fc.oneof(
  { weight: 8, arbitrary: pathCharacter },
  { weight: 1, arbitrary: fc.constantFrom('/', '?') },
);

/** Queries of a URL (RFC 3986), without the `?` before them. */
export const urlQuery = fc.string({ unit: queryCharacter });
// end: gate
