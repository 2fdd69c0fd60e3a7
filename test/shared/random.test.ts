import { expect, test } from 'vitest';
import { drawBytes, randomText } from '../../src/shared/random.ts';

test('no byte is given out twice, however many are drawn at a time', () => {
  const sizes = Array.from({ length: 2000 }, (_, position) => 8 + (position % 61));
  const drawn = [...sizes.map(drawBytes), drawBytes(4096), drawBytes(1), drawBytes(4096)];
  expect(drawn.map(({ length }) => length)).toEqual([...sizes, 4096, 1, 4096]);
  // Any eight that came up again would show it, wherever they stood.
  const pieces = drawn.flatMap((bytes) =>
    Array.from({ length: Math.max(0, bytes.length - 7) }, (_, at) => bytes.toString('hex', at, at + 8)),
  );
  expect(new Set(pieces).size).toBe(pieces.length);
  expect(pieces.length).toBeGreaterThan(60_000);
});

test('a text holds all of its bytes, and fits into a URL', () => {
  const texts = Array.from({ length: 1000 }, () => randomText(16));
  expect(new Set(texts).size).toBe(1000);
  for (const text of texts) expect(text).toMatch(/^[\w-]{22}$/);
});
