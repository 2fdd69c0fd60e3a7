import { isIP, isIPv4 } from 'node:net';

/** IP addresses that begin with the same bits; a single one has all of them. */
export type Network = { digits: string; bits: number; maxBits: 32 | 128 };

const mappedPrefix = `${'0'.repeat(20)}ffff`;

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

/**
 * How the keys of a client's counters end: with its address, or with the first 48 bits of its IPv6 address and which part
 * of that network is counted.
 */
export function counterEnds({ digits }: Network): string[] {
  if (digits.length === 8) return [`{${addressText(digits)}}`];
  const [first = '', second = '', third = '', fourth = ''] = (digits.match(/.{4}/g) ?? []).map(withoutZeros);
  const place = `{${first}:${second}:${third}}`;
  return [place, `${place}${withoutZeros(digits.slice(12, 14))}/56`, `${place}${fourth}/64`];
}

function withoutZeros(hex: string): string {
  return Number.parseInt(hex, 16).toString(16);
}

/** The hexadecimal digits of an address: 8 for IPv4, 32 for IPv6. Some proxies append a port. */
function digitsOf(text: string): string | undefined {
  const address = /^\[(.+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  if (isIPv4(address))
    return address
      .split('.')
      .map((part) => Number(part).toString(16).padStart(2, '0'))
      .join('');
  if (isIP(address) === 0 || address.includes('%')) return undefined;
  const [head = '', tail = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const [first, last] = [head, tail].map((part) =>
    part
      .split(':')
      .filter(Boolean)
      .map((group) => group.padStart(4, '0'))
      .join(''),
  );
  const digits = `${first}${'0'.repeat(32 - `${first}${last}`.length)}${last}`;
  return digits.startsWith(mappedPrefix) ? digits.slice(mappedPrefix.length) : digits;
}

function masked(digits: string, bits: number): string {
  const whole = Math.floor(bits / 4);
  const rest = bits % 4;
  const partial =
    rest === 0 ? '' : (Number.parseInt(digits[whole] ?? '0', 16) & (0xf << (4 - rest)) & 0xf).toString(16);
  return (digits.slice(0, whole) + partial).padEnd(digits.length, '0');
}

function addressText(digits: string): string {
  if (digits.length === 8) return (digits.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16)).join('.');
  return new URL(`http://[${(digits.match(/.{4}/g) ?? []).join(':')}]`).hostname.slice(1, -1);
}
