import { expect, test } from 'vitest';
import { ownColors } from '../../src/features/mail/mail-writer.ts';
import { read } from '../support/documents.ts';

test('mails have the colors of the pages', () => {
  const [light = '', dark = ''] = read('public/style.css').split('@media (prefers-color-scheme: dark) {');
  const colorsIn = (styles: string) => {
    const colorOf = (name: string) => new RegExp(`:root \\{[^}]*--${name}: (#[\\da-f]{6});`).exec(styles)?.[1];
    return { accent: colorOf('accent'), onAccent: colorOf('on-accent'), tint: colorOf('tint') };
  };
  expect(ownColors).toEqual({ light: colorsIn(light), dark: colorsIn(dark) });
});
