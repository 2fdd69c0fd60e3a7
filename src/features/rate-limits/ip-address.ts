import { isIP, isIPv4 } from 'node:net';

const mappedPrefix = `${'0'.repeat(20)}ffff`;

/**
 * The hexadecimal digits of an address: 8 for IPv4, also when it is mapped into IPv6, 32 for IPv6; undefined for anything
 * else, such as an address with a zone. Some proxies append a port.
 */
export function digitsOf(text: string): string | undefined {
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

/** An address as people write it. */
export function addressText(digits: string): string {
  if (digits.length === 8) return (digits.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16)).join('.');
  return new URL(`http://[${groupsOf(digits).join(':')}]`).hostname.slice(1, -1);
}

/** The eight groups of an IPv6 address, without leading zeros. */
export function groupsOf(digits: string): string[] {
  return (digits.match(/.{4}/g) ?? []).map((group) => Number.parseInt(group, 16).toString(16));
}
