import { UsageError } from '../../cli/command.ts';
import { type EmailAddress, parseAddress } from '../../session/email-address.ts';
import { duration } from '../../settings/setting.ts';
import { type Network, readNetwork } from './network.ts';

/**
 * The address that was typed.
 * @throws {UsageError}
 */
export function readAddress(typed: string | undefined): EmailAddress {
  const address = parseAddress(typed);
  if ('problem' in address) throw new UsageError(`"${typed}" is not an e-mail address`);
  return address.email;
}

/**
 * A length of time such as `24h`, in seconds.
 * @throws {UsageError}
 */
export function readDuration(option: string, typed: string): number {
  const read = duration.safeParse(typed);
  if (!read.success) throw new UsageError(`${option} ${read.error.issues[0]?.message ?? ''}`);
  return read.data;
}

/**
 * The address or range that was typed; undefined if it is none.
 * @throws {UsageError} for a range that most visitors would be in
 */
export function readClientNetwork(typed = ''): Network | undefined {
  const network = readNetwork(typed);
  if (network && network.bits < (network.maxBits === 32 ? 8 : 16)) {
    throw new UsageError(`${typed} is too wide; the widest range is a /8 of IPv4 or a /16 of IPv6`);
  }
  return network;
}
