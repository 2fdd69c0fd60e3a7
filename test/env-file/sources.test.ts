import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { settings } from '../../src/config.ts';
import { readSources } from '../../src/features/env-file/sources.ts';
import { newDirectory } from '../support/process.ts';
import { configWith, problemsWith } from './configuration.ts';

const directory = newDirectory('secrets-');
const secret = 'a secret of 32 characters and more that is kept in a file';

function fileWith(content: string | Uint8Array): string {
  const path = join(directory, crypto.randomUUID());
  writeFileSync(path, content);
  return path;
}

describe('a secret in a file', () => {
  test.each([
    ['as it is', secret],
    ['with a line break behind it', `${secret}\n`],
    ['as Windows saves it', `\ufeff${secret}\r\n`],
    ['in UTF-16', Buffer.from(`\ufeff${secret}\r\n`, 'utf16le')],
  ])('is read %s', (_, content) => {
    expect(configWith({ SESSION_SECRET_FILE: fileWith(content) }).sessionSecrets).toEqual([secret]);
  });

  test('is checked like one in the environment, and what is wrong does not repeat it', () => {
    expect(problemsWith({ SESSION_SECRET_FILE: fileWith('hunter2') })).toEqual([
      expect.stringMatching(/^SESSION_SECRET takes secrets of at least 32 characters(?!.*hunter2)/),
    ]);
    expect(problemsWith({ REDIS_URL_FILE: fileWith('http://:hunter2@redis') }).join()).toMatch(
      /^REDIS_URL (?!.*hunter2)/,
    );
  });

  test('may be given once only, and must be there', () => {
    const path = fileWith(secret);
    expect(problemsWith({ SESSION_SECRET: secret, SESSION_SECRET_FILE: path })).toEqual([
      'SESSION_SECRET and SESSION_SECRET_FILE are both set; keep one of them',
    ]);
    expect(problemsWith({ SESSION_SECRET: '', SESSION_SECRET_FILE: path })).toEqual([]);
    const empty = fileWith('\n');
    // In production the secret is not reported as missing as well.
    expect(problemsWith({ NODE_ENV: 'production', SESSION_SECRET_FILE: empty })).toEqual([
      `SESSION_SECRET_FILE names ${empty}, which is empty`,
    ]);
    expect(problemsWith({ REDIS_URL_FILE: directory, SESSION_SECRET_FILE: '/nowhere/at-all' })).toEqual([
      `REDIS_URL_FILE names ${directory}, which is a directory, not a file`,
      expect.stringMatching(
        /^SESSION_SECRET_FILE names \/nowhere\/at-all, which cannot be read \(ENOENT\); .*correct the path$/,
      ),
    ]);
  });
});

test.each([
  ['SESSION_SECRET', 'hunter2hunter2hunter2hunter2hunter2'],
  ['SESSION_SECRET', '/hunter2 hunter2 hunter2 hunter2 hunter2'],
  ['SESSION_SECRET', 'hunter2hunter2hunter2/hunter2hunter2hunter2='],
  ['SESSION_SECRET', '/hunter2/hunter2hunter2hunter2+hunter2hunter2'],
  ['SESSION_SECRET', 'hunter2.hunter2.hunter2.hunter2.hunter2'],
  ['REDIS_URL', 'redis://:hunter2@redis:6379'],
])('a secret in %s_FILE, which takes the path of a file, is not quoted', (name, text) => {
  expect(problemsWith({ [`${name}_FILE`]: text })).toEqual([
    `${name}_FILE takes the path of a file with the value, not the value itself; there is no such file`,
  ]);
});

test.each([
  ['NODE_ENV', 'production\r'],
  ['PORT', '3000 '],
  ['PORT', '"3000"'],
  ['SITE_NAME', "'Acme Works'\r"],
  ['REDIS_URL', '"redis://:hunter2@redis"'],
  ['REDIS_URL', 'redis://:hunter2@redis\n'],
])('what stands around %s in %j is named where it is the mistake, and not the value', (name, text) => {
  expect(problemsWith({ [name]: text })).toEqual([
    `${name} is correct except for quotes or white space around it; remove them ("docker run --env-file", for one, keeps them)`,
  ]);
});

test('what stands around a secret in a file is named as well', () => {
  expect(problemsWith({ REDIS_URL_FILE: fileWith('"redis://:hunter2@redis" ') })).toEqual([
    expect.stringMatching(/^REDIS_URL is correct except for quotes (?!.*hunter2)/),
  ]);
});

test('what stands around a value is not named where the value is wrong as well, or is right with it', () => {
  expect(problemsWith({ PORT: '"70000"' })).toEqual([expect.stringMatching(/^PORT takes a port/)]);
  expect(configWith({ BASE_URL: 'http://localhost:3000\r' }).origin).toBe('http://localhost:3000');
});

test('a reference that nothing has replaced is named, without the rest of the value', () => {
  const problems = problemsWith({
    BASE_URL: `https://\${LOGIN_HOST}`,
    REDIS_URL: `redis://:hunter2@\${redis_host}:6379`,
    SITE_NAME: `Price: 5 \${}$`,
  });
  expect(problems).toEqual([
    `REDIS_URL contains \${…}; write the value itself`,
    `BASE_URL contains \${LOGIN_HOST}; write the value itself`,
  ]);
  const path = fileWith(`BASE_URL='https://\${LOGIN_HOST}'\n`);
  expect(problemsWith({}, path)).toEqual([`BASE_URL contains \${LOGIN_HOST}; write the value itself`]);
});

test('a command that no shell has run is named without its words, as is a variable that Kubernetes does not know', () => {
  const secret = '$(cat /run/secrets/latchkey_session_secret)';
  const url = 'redis://:$(REDIS_PASSWORD)@redis';
  const problems = [
    'REDIS_URL contains $(REDIS_PASSWORD); write the value itself',
    'SESSION_SECRET contains $(…); write the value itself',
  ];
  expect(problemsWith({ SESSION_SECRET: secret, REDIS_URL: url })).toEqual(problems);
  expect(problemsWith({}, fileWith(`SESSION_SECRET='${secret}'\nREDIS_URL='${url}'\n`))).toEqual(problems);
  expect(configWith({ REDIS_URL: 'redis://:pa$(ss@redis' }).redis).toMatchObject({
    credentials: { password: 'pa$(ss' },
  });
});

describe('a variable of the environment', () => {
  const misspelt = (env: NodeJS.ProcessEnv) =>
    readSources(settings, env, '/nowhere/.env').warnings.map(({ about }) => about);

  test.each([
    ['SESSION_SECERT', 'SESSION_SECRET'],
    ['SESSION_SECRETS', 'SESSION_SECRET'],
    ['session_secret', 'SESSION_SECRET'],
    ['REDIS_URI', 'REDIS_URL'],
    ['REDIS_URL_FIEL', 'REDIS_URL_FILE'],
  ])('%s is taken for a misspelt %s', (name, setting) => {
    expect(misspelt({ [name]: 'x' })).toEqual([{ name, setting }]);
  });

  test.each([
    'ALLOWED_DOMAINS',
    'ALLOWED_DOMAIN',
    'ALLOW_EMAILS',
    'ALLOWED_EMAIL_DOMAINS',
    'ALLOWED_USERS',
    'ALLOWED_MAILS',
    'ALLOW_LIST',
    'allowed_emails',
    'AUTHORIZED_EMAILS',
    'EMAIL_WHITELIST',
    'LOGIN_ALLOWED_EMAILS',
  ])('%s is taken for ALLOWED_EMAILS, without which everybody may sign in', (name) => {
    expect(misspelt({ [name]: 'ann@example.com' })).toEqual([{ name, setting: 'ALLOWED_EMAILS' }]);
  });

  test.each(['SESSION_TIMEOUT', 'SESSION_IDLE_TIMEOUT', 'SESSION_MAX_AGE', 'SESSION_LIFETIME'])(
    '%s is taken for a limit of sessions',
    (name) => {
      expect(misspelt({ [name]: '5m' })).toEqual([{ name, setting: expect.stringContaining('SESSION_IDLE') }]);
    },
  );

  test.each(['ALLOWED_EMAILS', 'TRUST_PROXY', 'SESSION_IDLE', 'PORT', 'SITE_NAME'])(
    '%s_FILE is a mistake, since only secrets are read from files',
    (setting) => {
      const problem = `${setting}_FILE is not a setting; put the value into ${setting}`;
      expect(problemsWith({ [`${setting}_FILE`]: '/etc/allowed' })).toEqual([problem]);
      expect(problemsWith({ [`${setting}_FILE`]: '' })).toEqual([]);
      const path = fileWith(`${setting}_FILE=/etc/allowed\n`);
      expect(problemsWith({}, path)).toEqual([`${path}, line 1: ${problem}`]);
    },
  );

  test('that platforms set is not', () => {
    const names = ['PATH', 'HOME', 'HOSTNAME', 'host', 'POST', 'PWD', 'DATABASE_URL', 'REDIS_TLS_URL', 'NODE_VERSION'];
    names.push('SESSION_MANAGER', 'DBUS_SESSION_BUS_ADDRESS', 'ALLOW_EMPTY_PASSWORD', 'ALLOWED_HOSTS', 'MAIL', 'USER');
    names.push('ALLOY_SERVICE_HOST', 'BASH_ENV', 'SSL_CERT_FILE', 'LATCHKEY_PORT');
    const ours = Object.keys(settings);
    const env = Object.fromEntries([...names, 'LOG_FILE', 'npm_config_loglevel', ...ours].map((name) => [name, 'x']));
    expect(misspelt(env)).toEqual([]);
  });
});
