import { randomBytes } from 'node:crypto';

/** Drawn from the system at once, since each draw takes 2 µs. */
const blockBytes = 4096;
let left = randomBytes(0);

/** So many random bytes, at most 4,096, which are given to nobody else. They are as unpredictable as those of Node. */
export function drawBytes(count: number): Buffer {
  if (left.length < count) left = randomBytes(blockBytes);
  const drawn = left.subarray(0, count);
  left = left.subarray(count);
  return drawn;
}

/** So many random bytes, as a text that fits into URLs, cookies and the keys of Redis. */
export function randomText(bytes: number): string {
  return drawBytes(bytes).toString('base64url');
}
