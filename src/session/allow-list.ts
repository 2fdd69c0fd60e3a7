// Mail servers may take these for a route: `a%other.example@example.com` is then somebody at other.example.
const routing = /[%!"\uff20]|=\?/;

/**
 * Who may sign in. A domain stands for its plain addresses; one that a mail server might send on to another domain
 * must be listed in full.
 * @param entries addresses and `@domains`, lower-cased; none means everybody
 */
export function allowList(entries: string[]): (email: string) => boolean {
  if (entries.length === 0) return () => true;
  const listed = new Set(entries);
  return (email) => {
    const at = email.lastIndexOf('@');
    return listed.has(email) || (listed.has(email.slice(at)) && !routing.test(email.slice(0, at)));
  };
}
