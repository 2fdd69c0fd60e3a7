import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codeDigits, groupCode, readCode } from '../../src/features/email-code/code.ts';
import { MailTemplates } from '../../src/features/email-code/mail-templates.ts';
import { anyText } from '../support/text.ts';
import { askForCode, enterCode, newAddress, newBrowser, startCodeApp } from './code-login.ts';

const code = fc.integer({ min: 0, max: 10 ** codeDigits - 1 }).map((n) => String(n).padStart(codeDigits, '0'));

/** The zero of each script that has digits of its own. */
const zeros = Array.from({ length: 0x110000 }, (_, codePoint) => codePoint).filter(
  (codePoint) => isDigit(codePoint) && !isDigit(codePoint - 1),
);

function isDigit(codePoint: number): boolean {
  return /^\p{Nd}$/u.test(String.fromCodePoint(codePoint));
}

const invisible = [
  ...['\u200b', '\u200c', '\u200d', '\ufeff', '\u200e', '\u200f', '\u061c', '\u2060', '\u00ad', '\u180e', '\u034f'],
  ...['\u202a', '\u202b', '\u202c', '\u202d', '\u202e', '\u2066', '\u2067', '\u2068', '\u2069', '\ufe0f', '\u20e3'],
  ...['\u0000', '\u0007', '\u007f', '\u3164', '\u115f', '\uffa0', '\u2800', '\u{e0020}', '\u{e0100}'],
];
const visibleGaps = ['', ' ', '-', '\u2010', '\u2011', '\u2013', '\u2014', '\u2212', '\uff0d', '.', '．', '·', '_'];
const gaps = [...visibleGaps, '\u00a0', '\u202f', '\u2007', '\u3000', '\t', '\r\n', '\u2028', ' - ', ...invisible];

describe('readCode', () => {
  test('finds the digits however they are grouped, with anything invisible between and around them', () => {
    const gap = fc.constantFrom(...gaps);
    fc.assert(
      fc.property(
        code,
        fc.array(gap, { minLength: codeDigits, maxLength: codeDigits }),
        gap,
        (digits, between, before) => {
          expect(readCode(before + [...digits].map((digit, place) => digit + between[place]).join(''))).toBe(digits);
          expect(readCode(groupCode(digits))).toBe(digits);
        },
      ),
    );
  });

  test('reads the digits of every script that has some', () => {
    expect(zeros.length).toBeGreaterThan(50);
    for (const zero of zeros) {
      // The mathematical digits are five alphabets in one run.
      const typed = [...'90817263'].map((digit) => String.fromCodePoint(zero + Number(digit))).join('');
      expect(readCode(typed), typed).toBe('90817263');
    }
    expect(['１２３４５６７８', '١٢٣٤٥٦٧٨', '۱۲۳۴۵۶۷۸', '१२३४५६७८', '𝟭𝟮𝟯𝟰𝟱𝟲𝟳𝟴', '𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖'].map(readCode)).toEqual(
      Array.from({ length: 6 }, () => '12345678'),
    );
    expect(readCode('1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣8️⃣')).toBe('12345678');
  });

  test.each([
    '1234 5678 is your code for Latchkey',
    '1234 5678 is your code for 192.168.0.1:8080',
    '1234 5678 is your code for 10.20.30.40 and 12345679',
    'Re: 1234 5678 is your code for Latchkey 2',
    '"12345678".',
    'code: 12345678',
    'Your code\n\n1234 5678\n',
    '<12345678>',
    '\n1234 5678 is your code for 12345679',
    '1234 5678, 12345678',
    ...['27.11.2026, 04:17', '2026-11-27T04:17'].map(
      (date) =>
        `Date: ${date}\nSubject: 1234 5678 is your code\n\n1234 5678\nhttps://login.example/login/code#12345678`,
    ),
    `12345678${' '.repeat(1992)}`,
  ])('reads it out of %j', (typed) => {
    expect(readCode(typed)).toBe('12345678');
  });

  test('reads it out of the whole mail, and without its line breaks, which a field leaves out', () => {
    const about = {
      to: 'ann@example.com',
      device: 'Firefox 140 on Windows 11',
      origin: 'https://login.example.com:8443',
    };
    const mail = new MailTemplates('Bakery 1895').code({ code: '12345678', now: Date.now(), ...about });
    for (const text of [mail.text, `${mail.subject}\n${mail.text}`]) {
      expect([text, text.replaceAll('\n', '')].map(readCode)).toEqual(['12345678', '12345678']);
    }
  });

  test.each([
    '1234567',
    '123456789',
    '12345678 9',
    '12345678,12345679',
    '12345678/12345679',
    '1234 5678 1234 5679',
    'my code',
    '1234,5678',
    '1'.repeat(5000),
    `12345678${' '.repeat(1993)}`,
    '2026 is a year',
    '2026 is a year, 12345678 and 12345679 are not',
    '²²²²²²²²',
    'ⅠⅡⅢⅣⅤⅥⅦⅧ',
    '①②③④⑤⑥⑦⑧',
  ])('finds none in %j', (typed) => {
    expect(readCode(typed)).toBeUndefined();
  });

  test('gives eight ASCII digits or nothing, for anything', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, fc.anything()), (typed) => {
        expect(readCode(typed) ?? '00000000').toMatch(/^[0-9]{8}$/);
      }),
      { numRuns: 50 },
    );
  });

  test('takes no longer for a text that almost is one', () => {
    const startedAt = performance.now();
    for (const unit of ['1 ', '1   ', '1-', ' ', '\u200b', '1a']) readCode(unit.repeat(2000).slice(0, 2000));
    expect(performance.now() - startedAt).toBeLessThan(500);
  });
});

test('the subject of the mail, pasted, signs in; and what is not a code stays in the field', async () => {
  const { url, mails } = await startCodeApp();
  const email = newAddress();
  const browser = newBrowser(url);
  await askForCode(browser, email);
  const { subject = '' } = await mails.mailTo(email, 'code');
  for (const typed of ['1234567', '123 <b>', 'x'.repeat(100)]) {
    const { status, text } = await enterCode(browser, typed);
    expect([status, text.includes('Enter the eight digits of the code.')]).toEqual([422, true]);
    expect(text).toContain(`value="${typed.replace('<b>', '&lt;b&gt;')}"`);
  }
  expect((await enterCode(browser, 'x'.repeat(101))).text).not.toContain('xxx');
  expect((await enterCode(browser, subject)).status).toBe(303);
});
