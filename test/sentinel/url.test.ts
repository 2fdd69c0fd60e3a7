import { describe, expect, test } from 'vitest';
import { sentinelUrl } from '../../src/features/sentinel/url.ts';
import { blamed } from '../support/settings.ts';

describe('a REDIS_URL', () => {
  test('of Sentinels names them, the primary they watch, and who may ask which of both', () => {
    const url =
      'rediss+sentinel://ann:p%40ss%3A%2F@one.example.com,10.0.0.2:26380,[::1]:26381/main.primary-1/2?sentinel_username=bob&sentinel_password=%26%3D';
    expect(sentinelUrl.read(url)).toEqual({
      kind: 'sentinel',
      sentinels: [
        { host: 'one.example.com', port: 26_379 },
        { host: '10.0.0.2', port: 26_380 },
        { host: '::1', port: 26_381 },
      ],
      sentinelCredentials: { username: 'bob', password: '&=' },
      primaryName: 'main.primary-1',
      database: 2,
      credentials: { username: 'ann', password: 'p@ss:/' },
      tls: true,
    });
  });

  test('of Sentinels without passwords has none to send', () => {
    expect(sentinelUrl.read('redis+sentinel://localhost/mymaster')).toEqual({
      kind: 'sentinel',
      sentinels: [{ host: 'localhost', port: 26_379 }],
      sentinelCredentials: {},
      primaryName: 'mymaster',
      database: 0,
      credentials: {},
      tls: false,
    });
  });
});

test.each([
  'one',
  'one/',
  '/n',
  'one/name/x',
  'one:x/name',
  'one,/name',
  ':p%ss@one/name',
  'one/name?sentinelPassword=x',
  'one/name?sentinel_password=%',
  'one/name?sentinel_username=u',
  'one#x/name',
  'u@one/name',
  ':p#ss@one/name',
  'one/name#5',
])('REDIS_URL is refused as redis+sentinel://%s', (rest) => {
  expect(blamed({ REDIS_URL: `redis+sentinel://${rest}` })).toEqual(['REDIS_URL']);
});
