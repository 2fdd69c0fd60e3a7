import { describe, expect, test } from 'vitest';
import { namesAround, networkName, networkText, readNetwork } from '../../src/features/incidents/network.ts';

/** Whether a block of this network concerns this client. */
function concerns(network: string, ip: string): boolean {
  const read = readNetwork(network);
  return read !== undefined && namesAround(ip).includes(networkName(read));
}

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['203.0.113.7/32', '203.0.113.7'],
  ['203.0.113.7/24', '203.0.113.0/24'],
  ['203.0.113.255/29', '203.0.113.248/29'],
  ['2001:DB8:0:0::1', '2001:db8::1'],
  ['2001:db8:1:2:3::/46', '2001:db8::/46'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7/120', '203.0.113.0/24'],
])('%s is read as %s', (typed, text) => {
  const network = readNetwork(typed);
  expect(network && networkText(networkName(network))).toBe(text);
});

test.each([
  '',
  'ann',
  '203.0.113',
  '203.0.113.7/33',
  '203.0.113.7/',
  '1.2.3.4/-1',
  '2001:db8::/129',
  'fe80::1%eth0',
  '::ffff:1.2.3.4/8',
  '1.2.3.4/24/8',
])('is no network: %s', (typed) => expect(readNetwork(typed)).toBeUndefined());

describe('a client is concerned by the networks that it is in, and by no other', () => {
  test.each([
    ['203.0.113.0/24', '203.0.113.7', true],
    ['203.0.113.0/24', '203.0.114.7', false],
    ['203.0.113.0/24', '::ffff:203.0.113.7', true],
    ['203.0.113.0/24', '203.0.113.7:40000', true],
    ['203.0.113.4/30', '203.0.113.7', true],
    ['203.0.113.4/30', '203.0.113.8', false],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['2001:db8::/33', '2001:db8:8000::1', false],
    ['2001:db8::/32', '[2001:db8::1]:443', true],
    ['32.1.13.184', '2001:db8::', false],
  ])('%s, %s: %s', (network, ip, expected) => expect(concerns(network, ip)).toBe(expected));

  test.each([undefined, '', 'unknown', 'fe80::1%eth0'])('and what is not an address by none: %s', (ip) => {
    expect(namesAround(ip)).toEqual([]);
  });
});
