import { isIPv4, isIPv6 } from 'node:net';

/** How much of a client's address is written down. */
export type IpDetail = 'full' | 'network' | 'off';

declare module '../core.ts' {
  interface Core {
    /** By default `full`. */
    ipDetail?: IpDetail;
  }
}

/** As much of a client's address as may be written down. @public for features */
export function shownIp(detail: IpDetail, ip: unknown): string | undefined {
  if (detail === 'off' || typeof ip !== 'string') return undefined;
  const address = ip.replace(/^::ffff:(?=[\d.]+$)/i, '');
  return detail === 'full' ? address : networkOf(address);
}

/** The /24 of an IPv4 address, and the /48 of an IPv6 one. */
function networkOf(address: string): string | undefined {
  if (isIPv4(address)) return address.replace(/\d+$/, '0/24');
  if (!isIPv6(address) || address.includes('%')) return undefined;
  const [head = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = [...head.split(':').filter(Boolean), '0', '0', '0'];
  return `${groups.slice(0, 3).join(':')}::/48`;
}
