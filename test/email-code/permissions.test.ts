import { describe, expect, test } from 'vitest';
import { redisPermissions } from '../../src/config.ts';
import { emailCodeSettings } from '../../src/features/email-code/settings.ts';
import { aclRule, missingPermissions } from '../../src/features/redis-checks/permissions.ts';
import { createLogger } from '../../src/log.ts';
import { connected, openSingle } from '../../src/redis/connect.ts';
import { keyPrefix, keyPrefixEnv } from '../redis-checks/key-prefix.ts';
import { targetOf } from '../support/app.ts';
import { password } from '../support/redis-password.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { newAddress, newBrowser, signInByCode, startCodeApp } from './code-login.ts';

test('sign-in by code works under the documented Redis permissions, fenced in by a key prefix', async () => {
  const redis = await startRedisServer(password);
  const rules = ['reset', 'on', '>secret', ...aclRule(redisPermissions.single, keyPrefix).split(' ')];
  await redis.client((admin) => admin.aclSetUser('latchkey', rules));
  const redisAddress = { url: `redis://latchkey:secret@127.0.0.1:${redis.port}` };
  const app = await startCodeApp({ redisAddress, env: keyPrefixEnv });
  const [browser, email] = [newBrowser(app.url), newAddress()];
  await signInByCode({ mails: app.mails }, browser, email);
  const { text = '' } = await app.mails.mailTo(email, 'notice');
  expect((await browser.get('/admin')).text).toContain(email);
  const { pathname, search, searchParams } = new URL(/http\S+\/end-session\?\S+/.exec(text)?.[0] ?? '');
  expect((await browser.get(pathname + search)).status).toBe(200);
  const form = { token: searchParams.get('token') ?? '' };
  expect((await newBrowser(app.url).post('/end-session', { form })).status).toBeLessThan(400);
  expect((await browser.get('/admin')).status).toBe(401);

  const denied = await redis.client((admin) => admin.aclLog());
  const optional = new Set(['info', 'config|get', 'ping']);
  optional.delete('ping'); // feature: failover
  expect(denied.map(({ object }) => object).filter((object) => !optional.has(object))).toEqual([]);
  // feature: redis-key-prefix
  const keys = await redis.client((admin) => admin.keys('*'));
  expect(keys.filter((key) => !key.startsWith(keyPrefix))).toEqual([]);
  // end: redis-key-prefix
});

describe('what sign-in by code needs of Redis', async () => {
  const { redisPermissions: declared } = emailCodeSettings;
  if (!declared) throw new Error('nothing is declared');
  const redis = await startRedisServer(password);
  const missingWith = async (...rules: string[]) => {
    await redis.client((admin) => admin.aclSetUser('latchkey', ['reset', 'on', '>secret', ...rules]));
    const target = targetOf({ url: `redis://latchkey:secret@127.0.0.1:${redis.port}` });
    const opened = openSingle(target, { log: createLogger('silent') });
    const { client } = opened;
    try {
      await connected(opened);
      return (await missingPermissions(client, [declared])).refused;
    } finally {
      client.destroy();
    }
  };
  const patterns = ['~c:*', '~d:*', '~l:*', '~n:*'];

  test('is no key besides these, and each missing command is named', async () => {
    // Only a code of version 0.1 needs it.
    expect(Object.keys(declared.commands)).toContain('hgetall');
    expect(await missingWith('+@all', ...patterns)).toBeUndefined();
    for (const name of Object.keys(declared.commands)) {
      expect(await missingWith('+@all', `-${name}`, ...patterns)).toBe(`may not use ${name}`);
    }
  });

  test.each(patterns)('includes the keys %s', async (pattern) => {
    const others = patterns.filter((other) => other !== pattern);
    expect(await missingWith('+@all', ...others)).toBe('may not use the keys of Latchkey');
  });
});
