import { parseAddress } from './email-address.ts';

// Mail servers may take these for a route: `a%other.example@example.com` is then somebody at other.example.
const routing = /[%!"\uff20]|=\?/;

/**
 * Whether an address is on a list of addresses and `@domains`, as `readAllowListEntry` returns them. A domain stands for
 * its plain addresses; one that a mail server might send on to another domain must be listed in full.
 */
export function isOnList(entries: readonly string[]): (email: string) => boolean {
  const listed = new Set(entries);
  return (email) => listed.has(email) || (listed.has(email.slice(email.lastIndexOf('@'))) && !routing.test(email));
}

/** The canonical form of an address or an `@domain`; undefined for anything else. */
export function readAllowListEntry(entry: string): string | undefined {
  const isDomain = /^[@＠]/.test(entry);
  const address = parseAddress(isDomain ? `anybody${entry}` : entry);
  // A mailbox may be named so, but whoever writes it means everybody.
  if ('problem' in address || entry.includes('*')) return undefined;
  return isDomain ? address.email.slice('anybody'.length) : address.email;
}
