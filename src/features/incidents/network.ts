import { isIPv4 } from 'node:net';
import { addressText, digitsOf } from '../rate-limits/ip-address.ts';

/** IP addresses that begin with the same bits; a single one has all of them. */
export type Network = { digits: string; bits: number; maxBits: 32 | 128 };

/** Reads `203.0.113.7`, `203.0.113.0/24`, `2001:db8::/32`; undefined for anything else. Bits behind the range are dropped. */
export function readNetwork(text: string): Network | undefined {
  const [, address = '', bitsText] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const digits = digitsOf(address);
  if (digits === undefined) return undefined;
  const maxBits = digits.length === 8 ? 32 : 128;
  // In an IPv6 range of mapped IPv4 addresses, the first 96 bits are the mapping.
  const offset = maxBits === 32 && !isIPv4(address) ? 96 : 0;
  const bits = bitsText === undefined ? maxBits : Number(bitsText) - offset;
  if (bits < 0 || bits > maxBits) return undefined;
  return { digits: masked(digits, bits), bits, maxBits };
}

/** How many bits the addresses of one client share: an IPv4 address is a client, and so is an IPv6 /64. */
export function clientBits({ maxBits }: Network): number {
  return maxBits === 32 ? 32 : 64;
}

/** How Redis calls a network. */
export function networkName({ digits, bits }: Network): string {
  return `${digits}/${bits}`;
}

/** The names of all networks that an address is in; none for what is not an address. */
export function namesAround(ip: string | undefined): string[] {
  const digits = digitsOf(ip ?? '');
  if (digits === undefined) return [];
  return Array.from({ length: digits.length * 4 + 1 }, (_, bits) => `${masked(digits, bits)}/${bits}`);
}

/** A network as people write it. */
export function networkText(name: string): string {
  const [digits = '', bits] = name.split('/');
  const isSingle = Number(bits) === digits.length * 4;
  return `${addressText(digits)}${isSingle ? '' : `/${bits}`}`;
}

function masked(digits: string, bits: number): string {
  const whole = Math.floor(bits / 4);
  const rest = bits % 4;
  const partial =
    rest === 0 ? '' : (Number.parseInt(digits[whole] ?? '0', 16) & (0xf << (4 - rest)) & 0xf).toString(16);
  return (digits.slice(0, whole) + partial).padEnd(digits.length, '0');
}
