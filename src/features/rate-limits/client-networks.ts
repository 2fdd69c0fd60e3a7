import { addressText, digitsOf, groupsOf } from './ip-address.ts';
import type { Counter, Limit } from './take-points.ts';

/** A network that is counted: how its keys end, and how many times the points of a single client it has. */
type Counted = { end: string; share: number };

/**
 * The counters that hold a client to these limits: one per limit for an IPv4 address. An IPv6 customer gets a /64 or
 * anything up to a /48, which is 65,536 of them, so there is one counter for each, and a larger network has a larger
 * allowance. All keys share a hash tag.
 * @param name what is counted
 * @param ip as Express reports it. Some proxies append the port; anything that is not an address counts as one client
 */
export function clientCounters(name: string, ip: string | undefined, limits: readonly Limit[]): Counter[] {
  const networks = countedNetworks(digitsOf(ip ?? ''));
  return limits.flatMap(({ points, seconds }) =>
    networks.map(({ end, share }) => ({ key: `l:${name}:${seconds}:${end}`, points: points * share, seconds })),
  );
}

/** @param digits of an address; undefined for anything else */
export function countedNetworks(digits: string | undefined): Counted[] {
  if (digits === undefined) return [{ end: '{unknown}', share: 1 }];
  if (digits.length === 8) return [{ end: `{${addressText(digits)}}`, share: 1 }];
  const place = `{${groupsOf(digits).slice(0, 3).join(':')}}`;
  return [
    { end: place, share: 4 },
    { end: `${place}${Number.parseInt(digits.slice(12, 14), 16).toString(16)}/56`, share: 2 },
    { end: `${place}${groupsOf(digits)[3]}/64`, share: 1 },
  ];
}
