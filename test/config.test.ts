import express from 'express';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readConfig, settings } from '../src/config.ts';
import { blamed, problemsOf, production, secret } from './support/settings.ts';

describe('the defaults', () => {
  test('are those of the design', () => {
    expect(readConfig({})).toMatchObject({
      production: false,
      host: '127.0.0.1',
      port: 3000,
      origin: undefined,
      https: false,
      trustProxy: false,
      redis: undefined,
      sessionSecrets: undefined,
      sessionLimits: {
        idleSeconds: 30 * 60,
        absoluteSeconds: 8 * 3600,
        rememberIdleSeconds: 14 * 86_400,
        rememberAbsoluteSeconds: 30 * 86_400,
      },
      sessionsPerAddress: 50,
      signIn: 'trust',
      allowedEmails: undefined,
      siteName: 'Latchkey',
      logLevel: 'info',
    });
  });

  test('hold for empty values too, as a file of settings leaves them', () => {
    expect(readConfig(Object.fromEntries(Object.keys(settings).map((name) => [name, ''])))).toEqual(readConfig({}));
  });

  test('leave other variables alone', () => {
    expect(readConfig({ PATH: '/bin', SMTP: 'x', redis_url: 'x', TRUST: 'x' })).toEqual(readConfig({}));
  });
});

describe('production', () => {
  test('starts with its five settings', () => {
    expect(readConfig(production)).toMatchObject({
      production: true,
      origin: 'https://login.example.com',
      trustProxy: 1,
      redis: { kind: 'single', address: { host: 'redis', port: 6379 } },
      sessionSecrets: [secret],
    });
  });

  test('names everything that is missing at once, each with its fix', () => {
    expect(problemsOf({ NODE_ENV: 'production' })).toEqual([
      expect.stringMatching(/^REDIS_URL is missing.*redis:\/\//),
      expect.stringMatching(/^SESSION_SECRET is missing.*openssl rand -hex 32/),
      expect.stringMatching(/^BASE_URL is missing.*https:\/\//),
      expect.stringMatching(/^\w+ is missing.* \(or set SIGN_IN=trust, /),
    ]);
  });

  test('refuses an http origin, except for a trial on the machine itself', () => {
    const { TRUST_PROXY: _, ...direct } = production;
    expect(blamed({ ...direct, BASE_URL: 'http://login.example.com' })).toEqual(['BASE_URL']);
    expect(blamed({ ...direct, BASE_URL: 'http://127.0.0.1.example.com' })).toEqual(['BASE_URL']);
    expect(blamed({ ...direct, BASE_URL: 'http://localhost:3000' })).toEqual([]);
    expect(blamed({ ...direct, BASE_URL: 'http://127.0.0.1:3000' })).toEqual([]);
    expect(blamed({ ...direct, BASE_URL: 'http://[::1]:3000' })).toEqual([]);
  });
});

describe('mistakes', () => {
  test('are told all at once, malformed, missing and contradictory ones, each with its fix', () => {
    const env = {
      NODE_ENV: 'production',
      PORT: '70000',
      BASE_URL: 'https://login.example.com',
      SESSION_SECRET: 'short',
      SESSION_IDLE: '9h',
      SESSION_REMEMBER_IDLE: 'long',
      LOG_LEVEL: 'loud',
    };
    expect(problemsOf(env)).toEqual([
      'PORT takes a port, 0 to 65535',
      expect.stringMatching(/^SESSION_SECRET takes secrets of at least 32 characters/),
      expect.stringMatching(/^SESSION_REMEMBER_IDLE takes .* such as 30m/),
      expect.stringMatching(/^LOG_LEVEL takes .*info/),
      expect.stringMatching(/^REDIS_URL is missing/),
      expect.stringMatching(/^TRUST_PROXY is missing.*TRUST_PROXY=1/),
      expect.stringMatching(/^SESSION_IDLE is longer than SESSION_ABSOLUTE/),
      expect.stringMatching(/SIGN_IN=trust/),
    ]);
  });

  test('stand on a line each in the message', () => {
    expect(() => readConfig({ PORT: 'x', SIGN_IN: 'x' })).toThrow(
      /^Latchkey can't start: \n {2}- SIGN_IN .+\n {2}- PORT .+$/,
    );
  });

  test('do not repeat the value, which may be a secret', () => {
    const env = { SESSION_SECRET: 'hunter2', REDIS_URL: 'http://:hunter2@redis', BASE_URL: 'hunter2', PORT: 'hunter2' };
    expect(problemsOf(env)).toHaveLength(4);
    expect(problemsOf(env).join()).not.toContain('hunter2');
  });

  test('a malformed setting is not blamed a second time, nor another for it', () => {
    expect(blamed({ BASE_URL: 'https://login.example.com', TRUST_PROXY: 'true' })).toEqual(['TRUST_PROXY']);
    expect(blamed({ SESSION_IDLE: '9h', SESSION_ABSOLUTE: 'x' })).toEqual(['SESSION_ABSOLUTE']);
    expect(blamed({ ...production, REDIS_URL: 'x' })).toEqual(['REDIS_URL']);
  });

  test.each([
    ['NODE_ENV', ['staging', 'Production']],
    ['PORT', ['x', '-1', '65536', '80.5', '0x50', '1e3', ' ', '080 ']],
    ['BASE_URL', ['x', 'ftp://example.com', 'https://', 'https://example.com/app', 'https://bücher.example/app']],
    ['BASE_URL', [`https://\${LOGIN_HOST}`, 'https://$LOGIN_HOST', "https://'example.com'", 'https://*.example.com']],
    [
      'BASE_URL',
      ['https://example.com,www.example.com', 'https://example.com;', 'https://0.0.0.0:3000', 'http://[::]'],
    ],
    ['HOST', ['127.0.0.1:3000', '127.0.0.1, ::1', 'local host', 'unix:/run/latchkey.sock', '[::1]', '/run/x']],
    ['SITE_NAME', ['   ', '\u00a0 ', '\u200d', ' \u200c']],
    ['SESSION_SECRET', [`${'x'.repeat(32)},${'x'.repeat(32)}`]],
    ['BASE_URL', ['https://me@example.com', 'https://example.com/?x', 'https://example.com/#x', '//example.com']],
    ['TRUST_PROXY', ['true', 'false', 'TRUE', 'banana', 'loopback,true', '-1', '1.5', '100', '10.0.0.0/33', ',']],
    ['TRUST_PROXY', ['0.0.0.0/0', '::/0', '10.0.0.0/', '10.0.0', '::1/129', 'fe80::1%eth0']],
    ['REDIS_URL', ['x', 'localhost:6379', 'http://localhost', 'redis://', 'redis://redis:x', 'redis://redis/name']],
    ['REDIS_URL', ['redis://:p%ss@redis', 'redis://:%ff@redis', 'redis://:p/ss@redis', 'redis://one,two:6379']],
    ['SESSION_SECRET', ['x', 'x'.repeat(31), ' '.repeat(40), `${secret},short`, `${secret},`, `,${secret}`]],
    ['SESSION_IDLE', ['0m', '30', '30 m', '-1m', '1.5h', '1w', 'm', '1h30m', '1000000s']],
    ['SHUTDOWN_DELAY', ['0s', '301s', '6m', '1h', '25d', '999999d']],
    ['SESSION_ABSOLUTE', ['0d']],
    ['SESSION_REMEMBER_IDLE', ['0d']],
    ['SESSION_REMEMBER_ABSOLUTE', ['0d']],
    ['SESSIONS_PER_ADDRESS', ['0', '-1', '1000000', 'x', '1.5']],
    ['SIGN_IN', ['anyone', 'true']],
    ['NODE_ENV', ['prod', 'Production', 'x']],
    ['LOG_LEVEL', ['loud', 'INFO']],
    ['ALLOWED_EMAILS', ['*@example.com', 'ann@example.com, *@example.com', '@*.example.com', '*']],
    ['ALLOWED_EMAILS', ['x', 'ann@example.com,', '@', '@exa mple.com', 'ann@example.com bob@example.com']],
    ['LOG_LEVEL', ['loud', '30']],
  ])('%s is refused as %j', (name, values) => {
    for (const value of values) expect([value, ...blamed({ [name]: value })]).toEqual([value, name]);
  });

  // Persian and languages of India need the joiners, and so do many emoji.
  test.each(['می\u200cخواهم', 'ශ්\u200dරී', '👩\u200d🍳 Kitchen'])('a site may be called %s', (SITE_NAME) => {
    expect(readConfig({ SITE_NAME }).siteName).toBe(SITE_NAME);
    expect(blamed({ SITE_NAME: `\u202e${SITE_NAME}` })).toEqual(['SITE_NAME']);
  });

  // A timer of more than 24.8 days fires at once.
  test('a delay of the shutdown is short enough for a timer', () => {
    expect(readConfig({ SHUTDOWN_DELAY: '5m' }).shutdownDelaySeconds).toBe(300);
    expect(problemsOf({ SHUTDOWN_DELAY: '25d' })).toEqual([expect.stringMatching(/^SHUTDOWN_DELAY takes at most 5m/)]);
  });

  test('an https origin needs a proxy that is trusted', () => {
    expect(blamed({ BASE_URL: 'https://example.com' })).toEqual(['TRUST_PROXY']);
    expect(problemsOf({ BASE_URL: 'https://example.com', TRUST_PROXY: '0' })).toEqual([
      expect.stringMatching(/^TRUST_PROXY is missing or 0; /),
    ]);
  });

  test('an idle limit is at most the absolute one', () => {
    expect(blamed({ SESSION_IDLE: '8h' })).toEqual([]);
    expect(blamed({ SESSION_IDLE: '481m' })).toEqual(['SESSION_IDLE']);
    expect(blamed({ SESSION_IDLE: '30m', SESSION_REMEMBER_IDLE: '20m' })).toEqual(['SESSION_IDLE']);
    expect(blamed({ SESSION_REMEMBER_IDLE: '31d' })).toEqual(['SESSION_REMEMBER_IDLE']);
    expect(blamed({ SESSION_IDLE: '9h', SESSION_REMEMBER_ABSOLUTE: '1h' })).toEqual([
      'SESSION_IDLE',
      'SESSION_REMEMBER_IDLE',
    ]);
  });
});

describe('what is read', () => {
  test.each(['0.0.0.0', '::', '::1', 'fe80::1%eth0', '::ffff:127.0.0.1', 'localhost', 'host_1.internal'])(
    'HOST may be %s',
    (HOST) => {
      expect(readConfig({ HOST }).host).toBe(HOST);
    },
  );

  test.each([
    ['http://localhost:3000', 'http://localhost:3000'],
    ['http://Login.Example.COM/', 'http://login.example.com'],
    ['http://example.com:80', 'http://example.com'],
    ['http://bücher.example', 'http://xn--bcher-kva.example'],
  ])('the origin of BASE_URL %s is %s, as browsers send it', (BASE_URL, origin) => {
    expect(readConfig({ BASE_URL }).origin).toBe(origin);
  });

  test.each([
    ['30s', 30],
    ['2m', 120],
    ['1h', 3600],
  ])('%s is %i seconds', (SESSION_IDLE, idleSeconds) => {
    expect(readConfig({ SESSION_IDLE }).sessionLimits.idleSeconds).toBe(idleSeconds);
  });

  test('a list of secrets keeps its order, and the blanks around each are no part of it', () => {
    const older = 'y'.repeat(40);
    expect(readConfig({ SESSION_SECRET: ` ${secret} , ${older}` }).sessionSecrets).toEqual([secret, older]);
  });

  test('ALLOWED_EMAILS names people and whole domains, in their canonical form', () => {
    const ALLOWED_EMAILS = ' Ann@Example.com , @BÜCHER.example, jose\u0301＠example.com, ＠example．jp';
    expect(readConfig({ ALLOWED_EMAILS }).allowedEmails).toEqual([
      'ann@example.com',
      '@xn--bcher-kva.example',
      'jos\u00e9@example.com',
      '@example.jp',
    ]);
  });

  test.each(['redis://localhost', 'rediss://user:p%40ss@redis.example.com:6380/2', 'redis://[::1]:6379'])(
    'REDIS_URL takes %s',
    (REDIS_URL) => {
      expect(readConfig({ REDIS_URL }).redis?.kind).toBe('single');
    },
  );

  test.each([
    ['2', 2],
    ['loopback', ['loopback']],
    ['10.0.0.0/8, 192.168.1.7,uniquelocal', ['10.0.0.0/8', '192.168.1.7', 'uniquelocal']],
    ['fd00::/8,::1', ['fd00::/8', '::1']],
  ])('TRUST_PROXY %s trusts %j', (TRUST_PROXY, trusted) => {
    expect(readConfig({ TRUST_PROXY }).trustProxy).toEqual(trusted);
  });

  test('every TRUST_PROXY that is taken, Express takes too', () => {
    const address = fc.oneof(fc.ipV4Extended(), fc.ipV6(), fc.constantFrom('loopback', 'linklocal', 'true', '::'));
    const proxy = fc.tuple(address, fc.constantFrom('', '/0', '/1', '/24', '/64', '/128', '/x')).map((p) => p.join(''));
    fc.assert(
      fc.property(fc.array(proxy, { minLength: 1, maxLength: 3 }), (proxies) => {
        const TRUST_PROXY = proxies.join(',');
        if (problemsOf({ TRUST_PROXY }).length > 0) return;
        express().set('trust proxy', readConfig({ TRUST_PROXY }).trustProxy);
      }),
      { numRuns: 1000 },
    );
  });
});
