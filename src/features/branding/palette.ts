import { type Color, contrastOf, mix, withContrast } from './contrast.ts';

/** A `:root` rule of our style sheet: the media that it is for, and its custom properties. */
type Rule = { media: string; values: Record<string, string> };

/** The colors that follow from `SITE_COLOR` for one medium. */
export type Palette = {
  media: string;
  isDark: boolean;
  /** For those who ask for more contrast. */
  isEnhanced: boolean;
  accent: Color;
  accentStrong: Color;
  onAccent: Color;
  tint: Color;
  /** The worst contrast that the color itself would have had. */
  ownContrast: number;
};

// WCAG 2.2: 1.4.3 asks 4.5 of text, 1.4.6 asks 7, for those who ask for more. Links, buttons and focus rings (1.4.11:
// 3) are all drawn in this one color, so text decides.
const textRatio = 4.5;
const enhancedRatio = 7;

/**
 * The colors for each medium for which our style sheet has some, so that a changed sheet needs no change here. Where a
 * color is too hard to read, it is made darker on light backgrounds and lighter on dark ones: a brand has one color,
 * and hardly any color works on both.
 */
export function palettesFor(color: Color, styleSheet: string): Palette[] {
  const rules = rootRules(styleSheet);
  return rules.map(({ media }) => {
    const applying = rules.filter((rule) => conditionsOf(rule.media).every((one) => conditionsOf(media).includes(one)));
    const values: Record<string, string> = Object.assign({}, ...applying.map((rule) => rule.values));
    const isDark = media.includes('dark');
    const towards = isDark ? '#ffffff' : '#000000';
    const isEnhanced = media.includes('contrast');
    const ratio = isEnhanced ? enhancedRatio : textRatio;
    const { page = towards, card = towards, field = towards } = values;
    const tint = mix(card, color, isDark ? 0.15 : 0.1);
    const backgrounds = [page, card, field, tint];
    const accent = withContrast(color, backgrounds, ratio, towards);
    return {
      ...{ media, isDark, isEnhanced, accent, tint },
      accentStrong: mix(accent, towards, 0.25),
      onAccent: isDark ? withContrast(mix(card, color, 0.1), [accent], ratio, '#000000') : '#ffffff',
      ownContrast: Math.min(...backgrounds.map((background) => contrastOf(color, background))),
    };
  });
}

/** The style sheet that puts these colors in place of ours. */
export function styleSheetOf(color: Color, palettes: Palette[]): string {
  const rules = palettes.map(({ media, accent, accentStrong, onAccent, tint }) => {
    const values = { accent, 'accent-strong': accentStrong, 'on-accent': onAccent, tint };
    const text = Object.entries(values).map(([name, value]) => `  --${name}: ${value};\n`);
    const rule = `:root {\n${text.join('')}}\n`;
    return media === '' ? rule : `@media ${media} {\n${rule}}\n`;
  });
  // The one place where the color is as it was given: it says nothing that must be read.
  return `${rules.join('\n')}\n.bar {\n  border-top: 4px solid ${color};\n}\n`;
}

function rootRules(styleSheet: string): Rule[] {
  const rules = [...styleSheet.matchAll(/(?:@media ([^{]+?) ?\{\s*)?:root \{([^}]*)\}/g)].map(
    ([, media = '', body = '']) => {
      const values = [...body.matchAll(/--([\w-]+):\s*(#[\da-f]{6});/g)].map(([, name = '', value = '']) => [
        name,
        value,
      ]);
      return { media, values: Object.fromEntries(values) };
    },
  );
  return rules.filter(({ media, values }) => media !== 'print' && 'accent' in values);
}

function conditionsOf(media: string): string[] {
  return media === '' ? [] : media.split(' and ');
}
