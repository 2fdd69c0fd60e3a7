import { parseAddress } from '../../session/email-address.ts';

/** The sender of all mail, in its From header and in the envelope. */
export type Sender = { name: string; address: string };

/** What can't be seen in a name, less the joiners of some scripts. */
const hidden = /[^\P{C}\p{Join_C}]/u;

/**
 * Reads `login@example.com`, or a name and an address: `Example, Inc. <login@example.com>`, with or without quotes.
 * @returns undefined for anything else
 */
export function readSender(text: string): Sender | undefined {
  const [, before = '', enclosed] = /^([^<>]*)<([^<>]+)>$/.exec(text.trim()) ?? [];
  const address = (enclosed ?? text).trim();
  const parsed = parseAddress(address);
  // `parseAddress` also takes another sign than @, and leaves out what can't be seen at both ends.
  if ('problem' in parsed || !/^\P{DI}.*@.*\P{DI}$/u.test(address) || hidden.test(before)) return undefined;
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(before.trim())?.[1]?.replace(/\\(.)/g, '$1');
  const local = address.slice(0, address.lastIndexOf('@'));
  // Only the domain has a canonical form; the local part means something to the mail server alone.
  return { name: quoted ?? before.trim(), address: local + parsed.email.slice(parsed.email.lastIndexOf('@')) };
}
