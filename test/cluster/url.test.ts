import { describe, expect, test } from 'vitest';
import { clusterUrl } from '../../src/features/cluster/url.ts';
import { blamed } from '../support/settings.ts';

describe('a REDIS_URL', () => {
  test('of a Cluster names some of its nodes', () => {
    expect(clusterUrl.read('redis+cluster://:secret@one.example.com:7000,two.example.com')).toEqual({
      kind: 'cluster',
      nodes: [
        { host: 'one.example.com', port: 7000 },
        { host: 'two.example.com', port: 6379 },
      ],
      credentials: { password: 'secret' },
      tls: false,
    });
  });
});

test.each(['one/1', 'one?db=1', 'one:x', 'one,', ':p#ss@one', 'user@one', 'one#5', ''])(
  'REDIS_URL is refused as redis+cluster://%s',
  (rest) => {
    expect(blamed({ REDIS_URL: `redis+cluster://${rest}` })).toEqual(['REDIS_URL']);
  },
);
