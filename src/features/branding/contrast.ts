/** A color as `#rrggbb`, in lower case. */
export type Color = string;

/** The contrast ratio of two colors (WCAG 2.2, "contrast ratio"). */
export function contrastOf(one: Color, other: Color): number {
  const [darker = 0, lighter = 0] = [luminanceOf(one), luminanceOf(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

/** A color with so much of another in it: 0 is the first, 1 the second. */
export function mix(one: Color, other: Color, share: number): Color {
  const [from, to] = [partsOf(one), partsOf(other)];
  const parts = from.map((part, at) => Math.round(part + ((to[at] ?? 0) - part) * share));
  return `#${parts.map((part) => part.toString(16).padStart(2, '0')).join('')}`;
}

/** The nearest color to this one, on the way to black or to white, that has this contrast to all of these. */
export function withContrast(color: Color, against: readonly Color[], ratio: number, towards: Color): Color {
  for (let percent = 0; percent < 100; percent += 1) {
    const candidate = mix(color, towards, percent / 100);
    if (against.every((other) => contrastOf(candidate, other) >= ratio)) return candidate;
  }
  return towards;
}

function luminanceOf(color: Color): number {
  const [red = 0, green = 0, blue = 0] = partsOf(color).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function partsOf(color: Color): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
}
