import fc from 'fast-check';

/** Texts of any code points at all, lone surrogates too. fast-check's own `binary` unit takes a second to set up. */
export const anyText = fc.string({
  unit: fc.integer({ min: 0, max: 0x10ffff }).map((codePoint) => String.fromCodePoint(codePoint)),
});
