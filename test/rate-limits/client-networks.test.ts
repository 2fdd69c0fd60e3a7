import { describe, expect, test } from 'vitest';
import { clientCounters } from '../../src/features/rate-limits/client-networks.ts';

const limits = [{ points: 10, seconds: 60 }];

function keysFor(ip: string | undefined): string[] {
  return clientCounters('x', ip, limits).map(({ key }) => key.replace('l:x:60:', ''));
}

describe('clientCounters', () => {
  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7:4711', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:CB00:7107', '203.0.113.7'],
    ['[::ffff:203.0.113.7]:4711', '203.0.113.7'],
    ['fe80::1%eth0', 'unknown'],
    ['203.0.113.7, 198.51.100.1', 'unknown'],
    ['203.0.113.7.1:80', 'unknown'],
    ['whatever-a-client-makes-up', 'unknown'],
    ['', 'unknown'],
    [undefined, 'unknown'],
  ])('counts %s as the one client %s', (ip, client) => {
    expect(keysFor(ip)).toEqual([`{${client}}`]);
  });

  test.each([
    ['2001:db8::1', '2001:db8:0', '0', '0'],
    ['2001:0DB8:0000:0000:ffff::', '2001:db8:0', '0', '0'],
    ['2001:db8:0:1::', '2001:db8:0', '0', '1'],
    ['2001:db8:1:2ab:3::4', '2001:db8:1', '2', '2ab'],
    ['[2001:db8:1:ffff::2]:4711', '2001:db8:1', 'ff', 'ffff'],
    ['::1', '0:0:0', '0', '0'],
    ['::203.0.113.7', '0:0:0', '0', '0'],
  ])('counts %s for its /48, /56 and /64', (ip, site, upper, network) => {
    expect(keysFor(ip)).toEqual([`{${site}}`, `{${site}}${upper}/56`, `{${site}}${network}/64`]);
  });

  test('gives a larger network a larger allowance, and each limit a counter of its own', () => {
    const points = clientCounters('x', '2001:db8::1', [...limits, { points: 100, seconds: 600 }]);
    expect(points.map((counter) => [counter.points, counter.seconds])).toEqual([
      ...[40, 20, 10].map((allowance) => [allowance, 60]),
      ...[400, 200, 100].map((allowance) => [allowance, 600]),
    ]);
  });
});
