import { describe, expect, test } from 'vitest';
import { redisPermissions } from '../../src/config.ts';
import { aclRule } from '../../src/features/redis-checks/permissions.ts';
import { createLogger } from '../../src/log.ts';
import { encodeMoment } from '../../src/session/record.ts';
import { connectUrl, startApp } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { contributed } from '../support/contributions.ts';
import { type RedisServer, startRedisServer } from '../support/redis-server.ts';

const log = createLogger('silent');
const server = await startRedisServer('of-the-operator');
const names = [...new Set(redisPermissions.single.flatMap(({ commands }) => Object.keys(commands)))];

/** Gives the user of this name just these rules, and a URL to connect with. */
async function userWith(name: string, rules: string, redis: RedisServer = server): Promise<string> {
  await redis.client((admin) => admin.aclSetUser(name, ['reset', 'on', '>secret', ...rules.split(' ')]));
  return `redis://${name}:secret@127.0.0.1:${redis.port}`;
}

describe.each(['', 'latchkey:'])('under the documented rule, with the key prefix "%s"', (keyPrefix) => {
  test('everything works, nothing is refused, and no permission is spare', async () => {
    const redis = await startRedisServer('of-the-operator', ['--appendonly', 'yes']);
    const redisAddress = { url: await userWith('latchkey', aclRule(redisPermissions.single, keyPrefix), redis) };
    const env = { REDIS_KEY_PREFIX: keyPrefix };

    const earlier = await startApp({ redisAddress, env });
    const visitor = await signedIn(earlier.url, 'touched@example.com');
    // So that the next visit is a touch. The admin's own commands don't count.
    await redis.client(async (admin) => {
      const [session = ''] = await admin.keys('*}?*');
      await admin.setRange(session, 0, encodeMoment(Date.now() - 600_000));
      await admin.configResetStat();
    });
    await visitor.get('/admin');
    const app = await startApp({ redisAddress, env });
    const [ann, other] = [await signedIn(app.url), await signedIn(app.url)];
    expect((await ann.get('/admin')).text).toContain('Hello ann@example.com');
    expect((await ann.post('/admin/end-other-sessions')).status).toBe(303);
    expect((await other.get('/admin')).status).toBe(401);
    expect((await ann.post('/logout')).status).toBe(303);
    expect((await ann.get('/readyz')).text).toBe('ok\n');

    const client = await connectUrl(redisAddress.url, log, env);
    for (const { module } of await contributed('redis-uses')) await module.useRedis(client);
    client.destroy();

    const denied = await redis.client((admin) => admin.aclLog());
    // Optional: the start warns of persistence and eviction where it may ask.
    expect(denied.map(({ object }) => object).filter((object) => !/^(info|config\|get)$/.test(object))).toEqual([]);
    const keys = await redis.client((admin) => admin.keys('*'));
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.filter((key) => !key.startsWith(keyPrefix))).toEqual([]);
    const used = await redis.client((admin) => admin.info('commandstats'));
    expect(names.filter((name) => !used.includes(`cmdstat_${name}:`))).toEqual([]);
  });
});

describe('a permission that is missing stops the start, which names it', () => {
  test.each(names)('%s', async (name) => {
    const url = await userWith(`without-${name}`, `${aclRule(redisPermissions.single, '')} -${name}`);
    await expect(connectUrl(url)).rejects.toMatchObject({
      problems: [`the Redis user may not use ${name}; set its ACL rule to: ${aclRule(redisPermissions.single, '')}`],
    });
  });

  test('several at once', async () => {
    const url = await userWith('without-several', `${aclRule(redisPermissions.single, '')} -get -zadd`);
    await expect(connectUrl(url)).rejects.toMatchObject({
      problems: [expect.stringMatching(/^the Redis user may not use get, zadd; /)],
    });
  });

  test.each(['~other:*', '~{*', '~c:* ~d:* ~l:* ~n:* ~{*', '%R~*'])('keys: only %s', async (keys) => {
    const url = await userWith('without-keys', aclRule(redisPermissions.single, '').replace('~*', keys));
    await expect(connectUrl(url)).rejects.toMatchObject({
      problems: [expect.stringMatching(/^the Redis user may not use the keys of Latchkey; set its ACL rule to: ~\* /)],
    });
  });

  test('keys outside of what the prefix fences in', async () => {
    const url = await userWith('fenced', aclRule(redisPermissions.single, 'latchkey:'));
    (await connectUrl(url, log, { REDIS_KEY_PREFIX: 'latchkey:' })).destroy();
    await expect(connectUrl(url, log, { REDIS_KEY_PREFIX: 'other:' })).rejects.toMatchObject({
      problems: [expect.stringContaining('~other:*')],
    });
  });
});
