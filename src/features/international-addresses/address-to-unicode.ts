import { domainToASCII, domainToUnicode } from 'node:url';
import { maxAddressBytes } from '../../session/email-address.ts';

// The scripts in which a label can be recognized for what it is. Languages that mix scripts get the mixture. Latin ends
// with Extended-A, and without the letters there that pass for others: ı, ĸ, ŀ, ŉ.
const scripts = [
  String.raw`a-z\u00df-\u00f6\u00f8-\u0130\u0132-\u0137\u0139-\u013e\u0141-\u0148\u014a-\u017e`,
  ...['Cyrl', 'Grek', 'Arab', 'Hebr'].map((script) => String.raw`[\p{sc=${script}}&&\p{L}]`),
  ...['Deva', 'Thai'].map((script) => String.raw`[\p{sc=${script}}&&[\p{L}\p{M}]]`),
  String.raw`\p{sc=Han}\p{sc=Hira}\p{sc=Kana}ー`,
  String.raw`\p{sc=Han}\p{sc=Hang}`,
];
const inOneScript = new RegExp(scripts.map((letters) => String.raw`^[0-9\-[${letters}]]+$`).join('|'), 'v');
// Letters of other scripts that look like Latin ones: a label of nothing else reads as another domain.
const lookalikesOnly = /^[0-9\-аысԁеԍһіюјӏорԛѕԝхуъьҽпгѵѡαγεικνρυωηοτχדוחיןסרทนบพรหเแดลปฟมー一ノ]+$/u;
const hiddenMarks = /(\p{M})\1|\p{M}{3}/u;
const rightToLeft = /[\p{sc=Arab}\p{sc=Hebr}]/u;

/**
 * An address as people read it: labels of an international domain in Unicode, as long as each keeps to one script and
 * can't be mistaken for another (UTS #39); others stay in their ASCII form. `parseAddress()` reads it back as the same.
 * @param email in its canonical form
 */
export function addressToUnicode(email: string): string {
  const at = email.lastIndexOf('@') + 1;
  const domain = email.slice(at);
  if (!domain.includes('xn--')) return email;
  const labels = domain.split('.').map(displayLabel);
  // Of directions that mix, the labels change places.
  const isMixed = labels.some((label) => rightToLeft.test(label)) && !labels.every((label) => rightToLeft.test(label));
  const shown = email.slice(0, at) + labels.join('.');
  return isMixed || Buffer.byteLength(shown) > maxAddressBytes ? email : shown;
}

function displayLabel(ascii: string): string {
  const label = domainToUnicode(ascii);
  const isSafe = inOneScript.test(label) && !lookalikesOnly.test(label) && !hiddenMarks.test(label);
  return isSafe && domainToASCII(label) === ascii ? label : ascii;
}
