import { randomInt } from 'node:crypto';

/** Eight digits are 26 bits (ASVS 6.5.4 asks for 20), and can be read out over the phone. */
export const codeDigits = 8;

/** A new code (ASVS 6.5.3). */
export function newCode(): string {
  return String(randomInt(10 ** codeDigits)).padStart(codeDigits, '0');
}

/** A code in two groups, as it is easy to read. */
export function groupCode(code: string): string {
  return `${code.slice(0, 4)} ${code.slice(4)}`;
}

/** Longer than any mail of ours that brings a code, with the headers that a mail program shows. */
const maxTypedLength = 2000;
// Pasting brings characters along that nobody sees, and an emoji of a digit has marks.
const invisible = /[\p{Default_Ignorable_Code_Point}\p{Cf}\p{M}\u2800]|(?!\s)\p{Cc}/gu;
const gap = String.raw`[\s\p{Pd}\u2212.．·_]`;
const digitRuns = new RegExp(String.raw`\p{Nd}(?:${gap}{0,3}\p{Nd})*`, 'gu');
const linkedCode = /\/login\/code#([0-9]{8})(?![0-9])/;
const digitsThenWords = new RegExp(String.raw`^\p{Nd}(?:\p{Nd}|${gap})*\s\p{L}`, 'u');

/**
 * The code in what was typed or pasted: digits of any script, grouped in any way, in one line or several, or the subject
 * of the mail, or all of it.
 * @returns undefined if there is no code in it, or several different ones; that costs no try
 */
export function readCode(typed: unknown): string | undefined {
  if (typeof typed !== 'string' || typed.length > maxTypedLength) return undefined;
  const text = typed.replace(invisible, '').trim();
  // Of a whole mail, the link says which one it is: the date in its headers may have eight digits, too.
  const linked = linkedCode.exec(text)?.[1];
  if (linked !== undefined) return linked;
  const runs = [...text.matchAll(digitRuns)].map(([run], position) => ({ digits: asciiDigits(run), position }));
  const codes = runs.filter(({ digits }) => digits.length === codeDigits);
  const [first] = codes;
  // The name of a site can have digits, too. In our subject, the code comes first.
  const isSubject = digitsThenWords.test(text) && first?.position === 0;
  // In the mail itself, the code is there twice: once to read, and once in its link.
  const isOne = codes.every(({ digits }) => digits === first?.digits);
  return isOne || isSubject ? first?.digits : undefined;
}

function asciiDigits(text: string): string {
  return [...text].map(digitValue).join('');
}

// Unicode's digits come in runs that start with a zero and are a multiple of ten long.
function digitValue(character: string): string {
  const codePoint = character.codePointAt(0) ?? 0;
  if (!isDigit(codePoint)) return '';
  let start = codePoint;
  while (isDigit(start - 1)) start -= 1;
  return String((codePoint - start) % 10);
}

function isDigit(codePoint: number): boolean {
  return /\p{Nd}/u.test(String.fromCodePoint(codePoint));
}
