/** A copy, because a piece of a longer text keeps all of that in memory. */
export function copyOf(text: string): string {
  return Buffer.from(text).toString();
}
