/**
 * A key of Redis with a prefix in front. One without braces becomes a hash tag as a whole, so that the prefix never changes
 * a key's Cluster slot, and keys that belong together stay together.
 */
export function prefixedKey(prefix: string, key: string): string {
  return /\{[^}]+\}/.test(key) ? prefix + key : `${prefix}{${key}}`;
}
