import { randomBytes } from 'node:crypto';

/** Drawn at once: each call of `randomBytes()` takes 2 µs. */
const blockBytes = 4096;
let left = randomBytes(0);

/** Random bytes, as unpredictable as those of `randomBytes()`. None is returned twice. */
export function drawBytes(count: number): Buffer {
  if (left.length < count) left = randomBytes(Math.max(count, blockBytes));
  const drawn = left.subarray(0, count);
  left = left.subarray(count);
  return drawn;
}

/** Random bytes in base64url, for URLs, cookies and Redis keys. */
export function randomText(bytes: number): string {
  return drawBytes(bytes).toString('base64url');
}
