import { expect, test } from 'vitest';
import { palettesFor } from '../../src/features/branding/palette.ts';
import { contrast } from '../browser/contrast.ts';
import { read } from '../support/documents.ts';

const styleSheet = read('public/style.css');
const rgb = (hex: string) => `rgb(${[1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join(', ')})`;
const ratio = (one: string, other: string) => contrast(rgb(one), rgb(other));

/** What the style sheet says in light and in dark, as somebody reads it there. */
const backgrounds = { light: ['#f4f5f8', '#ffffff', '#fbfbfd'], dark: ['#0f1218', '#171b23', '#11151c'] };
const texts = { light: ['#161a23', '#535c6c', '#b3261e'], dark: ['#eceff5', '#a5aebe', '#ffb4ab'] };

const steps = [0, 51, 102, 153, 204, 255];
const hex = (part: number) => part.toString(16).padStart(2, '0');
const colors = steps.flatMap((r) => steps.flatMap((g) => steps.map((b) => `#${hex(r)}${hex(g)}${hex(b)}`)));

test('whatever the color, links, buttons and texts can be read in light, dark and high contrast (WCAG 1.4.3, 1.4.11)', () => {
  for (const background of [...backgrounds.light, ...backgrounds.dark]) expect(styleSheet).toContain(background);
  for (const color of colors) {
    const palettes = palettesFor(color, styleSheet);
    expect(palettes.map(({ media }) => media)).toEqual([
      '',
      '(prefers-color-scheme: dark)',
      '(prefers-contrast: more)',
      '(prefers-contrast: more) and (prefers-color-scheme: dark)',
    ]);
    for (const { media, accent, accentStrong, onAccent, tint } of palettes) {
      const mode = media.includes('dark') ? 'dark' : 'light';
      const needed = media.includes('contrast') ? 7 : 4.5;
      const about = `${color} ${media}`;
      for (const background of [...backgrounds[mode], tint]) {
        expect(ratio(accent, background), `link ${about}`).toBeGreaterThanOrEqual(needed);
        expect(ratio(accentStrong, background), `link under the mouse ${about}`).toBeGreaterThanOrEqual(needed);
      }
      expect(ratio(onAccent, accent), `button ${about}`).toBeGreaterThanOrEqual(needed);
      expect(ratio(onAccent, accentStrong), `button under the mouse ${about}`).toBeGreaterThanOrEqual(needed);
      for (const text of texts[mode]) expect(ratio(text, tint), `text ${about}`).toBeGreaterThanOrEqual(4.5);
    }
  }
});

test('a color that can be read stays as it is, and another changes no more than it has to', () => {
  const accents = (color: string) =>
    palettesFor(color, styleSheet)
      .slice(0, 2)
      .map(({ accent }) => accent);
  expect(accents('#0b6e4f')[0]).toBe('#0b6e4f');
  expect(accents('#ffd400')[1]).toBe('#ffd400');
  const [pale = ''] = accents('#ffd400');
  expect(ratio(pale, '#ffffff')).toBeLessThan(6);
});
