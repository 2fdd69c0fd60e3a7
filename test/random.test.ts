import { expect, test } from 'vitest';
import { drawBytes, randomText } from '../src/random.ts';

test('no byte is given out twice, however many are drawn at a time', () => {
  const sizes = [...Array.from({ length: 2000 }, (_, position) => 1 + (position % 61)), 4096, 1, 5000, 16, 4096];
  const drawn = sizes.map(drawBytes);
  expect(drawn.map(({ length }) => length)).toEqual(sizes);
  const ends = new Map<ArrayBufferLike, number>();
  for (const { buffer, byteOffset, length } of drawn) {
    expect(byteOffset).toBeGreaterThanOrEqual(ends.get(buffer) ?? 0);
    ends.set(buffer, byteOffset + length);
  }
});

test('a text holds all of its bytes, and fits into a URL', () => {
  const texts = Array.from({ length: 1000 }, () => randomText(16));
  expect(new Set(texts).size).toBe(1000);
  for (const text of texts) expect(text).toMatch(/^[\w-]{22}$/);
});
