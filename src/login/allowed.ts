/**
 * Who may sign in.
 * @param entries addresses and `@domains`, lower-cased; none means everybody
 */
export function allowList(entries: string[]): (email: string) => boolean {
  if (entries.length === 0) return () => true;
  const listed = new Set(entries);
  return (email) => listed.has(email) || listed.has(email.slice(email.lastIndexOf('@')));
}
