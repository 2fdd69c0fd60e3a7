import { describe, expect, test } from 'vitest';
import { redisPermissions } from '../../src/config.ts';
import { checkClock } from '../../src/features/redis-checks/clock-check.ts';
import { aclRule, permissionsByKind } from '../../src/features/redis-checks/permissions.ts';
import { createLogger } from '../../src/log.ts';
import { checkWritable } from '../../src/redis/client.ts';
import { connected, openSingle } from '../../src/redis/connect.ts';
import { plainRedisUrl } from '../../src/redis/url.ts';
import { encodeMoment } from '../../src/session/record.ts';
import { indexKey, newSessionId, sessionKey, tagOf } from '../../src/session/session-id.ts';
import { address } from '../support/address.ts';
import { connectUrl, startApp, targetOf } from '../support/app.ts';
import { signedIn } from '../support/client.ts';
import { contributed } from '../support/contributions.ts';
import { newStore } from '../support/fork.ts';
import { type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { plainData } from '../support/store-contract.ts';

const log = createLogger('silent');
const server = await startRedisServer('of-the-operator');
const names = [...new Set(redisPermissions.single.flatMap(({ commands }) => Object.keys(commands)))];

/** Gives the user of this name just these rules, and a URL to connect with. */
async function userWith(name: string, rules: string, redis: RedisServer = server): Promise<string> {
  await redis.client((admin) => admin.aclSetUser(name, ['reset', 'on', '>secret', ...rules.split(' ')]));
  return `redis://${name}:secret@127.0.0.1:${redis.port}`;
}

describe.each([
  '',
  'latchkey:', // feature: redis-key-prefix
])('under the documented rule, with the key prefix "%s"', (keyPrefix) => {
  test('everything works, nothing is refused, and no permission is spare', async () => {
    const redis = await startRedisServer('of-the-operator', ['--appendonly', 'yes']);
    const redisAddress = { url: await userWith('latchkey', aclRule(redisPermissions.single, keyPrefix), redis) };
    const env = {
      REDIS_KEY_PREFIX: keyPrefix, // feature: redis-key-prefix
    };

    const earlier = await startApp({ redisAddress, env });
    const visitor = await signedIn(earlier.url, 'touched@example.com');
    // So that the next visit is a touch. The admin's own commands don't count.
    await redis.client(async (admin) => {
      const [session = ''] = await admin.keys('*}?*');
      await admin.setRange(session, 0, encodeMoment(Date.now() - 600_000));
      await admin.configResetStat();
    });
    await visitor.get('/admin');
    // A list that was lost is mended.
    await redis.client((admin) => admin.expireAt(`${keyPrefix}${indexKey(tagOf('touched@example.com'))}`, 1));
    expect((await visitor.get('/admin')).text).toContain('This session');
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
    // The start asks about persistence and eviction where it may. To a PING, even an error shows that Redis is there.
    const optional = new Set(['info', 'config|get', 'ping']);
    optional.delete('ping'); // feature: failover
    expect(denied.map(({ object }) => object).filter((object) => !optional.has(object))).toEqual([]);
    const keys = await redis.client((admin) => admin.keys('*'));
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.filter((key) => !key.startsWith(keyPrefix))).toEqual([]);
    const used = await redis.client((admin) => admin.info('commandstats'));
    expect(names.filter((name) => !used.includes(`cmdstat_${name}:`))).toEqual([]);
  });
});

test('without any feature, the core and these checks need no other permissions than those they name', async () => {
  const redis = await startRedisServer('of-the-operator', ['--appendonly', 'yes']);
  const own = permissionsByKind([], { single: plainRedisUrl }).single;
  const url = await userWith('latchkey', aclRule(own, ''), redis);
  const opened = openSingle(targetOf({ url }), { log });
  await connected(opened);
  const { client } = opened;
  await redis.client((admin) => admin.configResetStat());

  const email = address('ann@example.com');
  const tag = tagOf(email);
  const [sessionId, other] = [newSessionId(tag), newSessionId(tag)];
  const seenAt = Date.now() - 600_000;
  const identity = { email, signedInAt: seenAt, lastSeenAt: seenAt, remember: false, device: '' };
  await redis.client((admin) => admin.set(indexKey(tag), 'not a list'));
  const store = newStore(client);
  await store.set(sessionId, { ...plainData(), ...identity });
  const session = await store.get(sessionId);
  if (!session) throw new Error('not stored');
  session.device = 'changed';
  await store.set(sessionId, session);
  await redis.client((admin) => admin.del(indexKey(tag)));
  for (const entry of ['lost', 'back']) {
    expect(await store.index.listFor(sessionId), entry).toMatchObject([{ device: 'changed' }]);
  }
  await store.set(other, { ...plainData(), ...identity });
  expect(await store.index.endAll(email)).toBe(2);
  expect(await redis.client((admin) => admin.exists([sessionKey(sessionId), sessionKey(other)]))).toBe(0);
  await checkWritable(client);
  const clock = checkClock(client, log);
  await clock.start?.();
  await clock.stop?.();

  // The error that a PING gets without permission shows as well that Redis is there.
  const denied = await redis.client((admin) => admin.aclLog());
  expect(denied.map(({ object }) => object).filter((object) => object !== 'ping')).toEqual([]);
  const used = await redis.client((admin) => admin.info('commandstats'));
  const ownNames = own.flatMap(({ commands }) => Object.keys(commands));
  expect(ownNames.filter((name) => !used.includes(`cmdstat_${name}:`))).toEqual([]);
  client.destroy();
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

  // feature: redis-key-prefix
  test('keys outside of what the prefix fences in', async () => {
    const url = await userWith('fenced', aclRule(redisPermissions.single, 'latchkey:'));
    (await connectUrl(url, log, { REDIS_KEY_PREFIX: 'latchkey:' })).destroy();
    await expect(connectUrl(url, log, { REDIS_KEY_PREFIX: 'other:' })).rejects.toMatchObject({
      problems: [expect.stringContaining('~other:*')],
    });
  });
  // end: redis-key-prefix
});
