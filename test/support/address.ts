import { type EmailAddress, parseAddress } from '../../src/session/email-address.ts';

/** The canonical form of an address, for what takes nothing else. */
export function address(typed: string): EmailAddress {
  const parsed = parseAddress(typed);
  if ('problem' in parsed) throw new Error(`${typed}: ${parsed.problem}`);
  return parsed.email;
}

/** As long as an address may be, without a place to break it. */
export const longestAddress = `${'a'.repeat(64)}@${`${'b'.repeat(60)}.`.repeat(3)}exampl`;
