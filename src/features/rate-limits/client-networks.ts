import { isIPv4, isIPv6 } from 'node:net';
import type { Counter, Limit } from './take-points.ts';

/** How many times the points of a single client a network of many has. */
const shares = { '/56': 2, '/48': 4 };

/**
 * The counters that hold a client to these limits: one per limit for an IPv4 address. An IPv6 customer gets a /64 or
 * anything up to a /48, which is 65,536 of them, so there is one counter for each, and a larger network has a larger
 * allowance. All keys share a hash tag.
 * @param name what is counted
 * @param ip as Express reports it. Some proxies append the port; anything that is not an address counts as one client
 */
export function clientCounters(name: string, ip: string | undefined, limits: readonly Limit[]): Counter[] {
  const { place, networks } = locate(ip);
  return limits.flatMap(({ points, seconds }) =>
    networks.map(({ suffix, share }) => ({
      key: `l:${name}:${seconds}:{${place}}${suffix}`,
      points: points * share,
      seconds,
    })),
  );
}

function locate(ip: string | undefined): { place: string; networks: { suffix: string; share: number }[] } {
  const single = [{ suffix: '', share: 1 }];
  const address = /^\[(.+)\](?::\d+)?$/.exec(ip ?? '')?.[1] ?? /^([\d.]+):\d+$/.exec(ip ?? '')?.[1] ?? ip ?? '';
  if (isIPv4(address)) return { place: address, networks: single };
  if (!isIPv6(address) || address.includes('%')) return { place: 'unknown', networks: single };
  const groups = groupsOf(address);
  const isMapped = groups.slice(0, 6).join(':') === '0:0:0:0:0:65535';
  if (isMapped)
    return {
      place: groups
        .slice(6)
        .flatMap((group) => [group >> 8, group & 255])
        .join('.'),
      networks: single,
    };
  const hex = groups.map((group) => group.toString(16));
  const upper = ((groups[3] ?? 0) >> 8).toString(16);
  return {
    place: hex.slice(0, 3).join(':'),
    networks: [
      { suffix: '', share: shares['/48'] },
      { suffix: `${upper}/56`, share: shares['/56'] },
      { suffix: `${hex[3]}/64`, share: 1 },
    ],
  };
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  const [head = '', tail = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const [first, last] = [head.split(':').filter(Boolean), tail.split(':').filter(Boolean)];
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0');
  return [...first, ...zeros, ...last].map((group) => Number.parseInt(group, 16));
}
