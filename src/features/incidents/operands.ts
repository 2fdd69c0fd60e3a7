import { UsageError } from '../../cli/command.ts';
import { type EmailAddress, parseAddress } from '../../session/email-address.ts';

/**
 * The address that was typed.
 * @throws {UsageError}
 */
export function readAddress(typed: string | undefined): EmailAddress {
  const address = parseAddress(typed);
  if ('problem' in address) throw new UsageError(`"${typed}" is not an e-mail address`);
  return address.email;
}
