import { RedisStore } from 'connect-redis';
import session, { type SessionData } from 'express-session';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { RedisClient } from '../../src/redis/client.ts';
import { SessionEnded } from '../../src/session/commands.ts';
import { decode } from '../../src/session/record.ts';
import {
  anonymousTag,
  handleOf,
  indexKey,
  newSessionId,
  sessionKey,
  tagIn,
  tagOf,
} from '../../src/session/session-id.ts';
import { address } from '../support/address.ts';
import { connectNode } from '../support/app.ts';
import { commandsFor } from '../support/commands.ts';
import { allKeys, newStore } from '../support/fork.ts';
import { describeStoreContract, plainData } from '../support/store-contract.ts';
import { testRedis } from '../support/test-redis.ts';

const redis = await connectNode(await testRedis());
beforeEach(() => redis.flushAll());
const store = newStore(redis);

const ann = address('ann@example.com');
const annsId = () => newSessionId(tagOf(ann));
const annsData = (): SessionData => ({
  ...plainData(),
  email: ann,
  signedInAt: Date.now(),
  lastSeenAt: Date.now(),
  remember: false,
  device: 'Firefox on Linux',
});

describeStoreContract('SessionStore, signed in,', () => ({ store, newId: annsId, newData: annsData }));
describeStoreContract('SessionStore, anonymous,', () => ({
  store,
  newId: () => newSessionId(anonymousTag),
  newData: plainData,
}));
describeStoreContract('connect-redis', () => ({
  store: new RedisStore({ client: redis }),
  newId: () => crypto.randomUUID(),
  newData: plainData,
}));
describeStoreContract('MemoryStore', () => ({
  store: new session.MemoryStore(),
  newId: () => crypto.randomUUID(),
  newData: plainData,
}));

describe('SessionStore', () => {
  test('calls back in a tick of its own: what fails behind the callback is no failure of the store', async () => {
    const called: unknown[] = [];
    await store.get('unknown', (...result: unknown[]) => called.push(result));
    expect(called).toEqual([]);
    await new Promise(process.nextTick);
    expect(called).toEqual([[null, null]]);
  });

  test('writes a session and its entry in one transaction, in one Cluster slot, both with a TTL', async () => {
    const id = annsId();
    await store.set(id, annsData());
    expect(await allKeys(redis)).toEqual([indexKey(tagOf(ann)), sessionKey(id)].sort());
    for (const key of await allKeys(redis)) {
      expect(await redis.pTTL(key)).toBeGreaterThan(29 * 60_000);
      expect(await redis.pTTL(key)).toBeLessThanOrEqual(30 * 60_000);
      // Cluster hashes what is in braces, or else the whole key.
      expect(/\{(.+?)\}/.exec(key)?.[1] ?? key).toBe(tagOf(ann));
    }
  });

  test('never changes a session through an object that it did not load', async () => {
    const id = annsId();
    await store.set(id, annsData());
    await expect(store.set(id, annsData())).rejects.toThrow('taken already');
  });

  test('refuses to bring an ended session back, and leaves nothing behind (connect-redis#328)', async () => {
    const id = annsId();
    await store.set(id, annsData());
    const loaded = await store.get(id);
    if (!loaded) throw new Error('not stored');
    await store.destroy(id);
    loaded.device = 'changed';
    await expect(store.set(id, loaded)).rejects.toThrow(SessionEnded);
    expect(await allKeys(redis)).toEqual([]);
  });

  test('does not touch a session that ended while it was being loaded, and leaves nothing behind', async () => {
    const id = annsId();
    await store.set(id, { ...annsData(), lastSeenAt: Date.now() - 5 * 60_000 });
    const interrupted = newStore(meanwhile(() => store.destroy(id)));
    expect(await interrupted.get(id)).toBeNull();
    expect(await allKeys(redis)).toEqual([]);
  });

  test('has nothing to save once it was touched: it would overwrite what another request changed', async () => {
    const id = annsId();
    await store.set(id, { ...annsData(), lastSeenAt: Date.now() - 5 * 60_000 });
    const loaded = await store.get(id);
    expect([loaded && store.wasTouched(loaded), store.hasChanges(loaded ?? undefined)]).toEqual([true, false]);
  });

  test('fails when a touch is not answered in time: the session may have ended', async () => {
    const id = annsId();
    await store.set(id, { ...annsData(), lastSeenAt: Date.now() - 5 * 60_000 });
    const never = new Promise<never>(() => {});
    const silent = newStore({ get: (key) => redis.get(key), eval: () => never }, { deadlineMs: 20 });
    await expect(silent.get(id)).rejects.toThrow('did not answer within 20 ms');
  });

  // Sessions survive an update.
  test('reads the ids, keys and records of earlier versions', () => {
    const id = 'WIlQR6VCc_4oaBAbCdEfGhIjKlMnOpQrStUv';
    expect(sessionKey(id)).toBe('{WIlQR6VCc_4oaB}AbCdEfGhIjKlMnOpQrStUv');
    expect(indexKey(tagIn(id))).toBe('WIlQR6VCc_4oaB');
    expect(tagIn(id)).toBe(tagOf(ann));
    expect(handleOf(id)).toBe('lE3fw9-z_BL5YGne');
    expect(decode('6b070a34mwvuqtkl1ann@example.com\nFirefox on Linux\n{"theme":"dark"}')).toEqual({
      ...{ email: ann, signedInAt: 1_795_594_736_181, lastSeenAt: 1_795_623_476_000, remember: true },
      ...{ device: 'Firefox on Linux', theme: 'dark' },
    });
  });

  test('leaves no key without a TTL when a session expires between load and touch', async () => {
    const id = annsId();
    const now = Date.now();
    await store.set(id, { ...annsData(), lastSeenAt: now - 5 * 60_000, signedInAt: now - (8 * 3600 - 60) * 1000 });
    let readings = 0;
    const clockRuns = async () => {
      const clock = vi.spyOn(Date, 'now').mockImplementation(() => now + 60_000 * readings++);
      onTestFinished(() => clock.mockRestore());
    };
    await newStore(meanwhile(clockRuns)).get(id);
    expect(readings).toBeGreaterThan(0);
    expect(await redis.pTTL(sessionKey(id))).toBeGreaterThan(0);
  });

  test('refuses an address that does not belong to the session id', async () => {
    await expect(store.set(annsId(), { ...annsData(), email: address('eve@example.com') })).rejects.toThrow(
      'only signIn()',
    );
    await expect(store.set(newSessionId(anonymousTag), annsData())).rejects.toThrow('only signIn()');
    expect(await allKeys(redis)).toEqual([]);
  });

  test('sends no command when what is saved is what is stored (express-session#935)', async () => {
    const id = annsId();
    const data = annsData();
    await store.set(id, data);
    expect(await commandsFor(redis, () => store.set(id, data))).toEqual({});
  });

  test('sends no command for something that cannot be a session id', async () => {
    const commands = await commandsFor(redis, async () => {
      for (const id of ['', 'x', '{}', `${annsId()}x`, '*'.repeat(38), `${tagOf(ann)}${' '.repeat(22)}`]) {
        expect(await store.get(id)).toBeNull();
        await store.destroy(id);
      }
    });
    expect(commands).toEqual({});
  });

  test('keeps a change of one request when another one only touches', async () => {
    const id = annsId();
    await store.set(id, { ...annsData(), lastSeenAt: Date.now() - 5 * 60_000 });
    const writes = async () => {
      const key = sessionKey(id);
      const changed = (await redis.get(key))?.replace('Firefox on Linux', 'changed meanwhile') ?? '';
      await redis.set(key, changed, { expiration: 'KEEPTTL' });
    };
    const loaded = await newStore(meanwhile(writes)).get(id);
    expect(loaded?.device).toBe('Firefox on Linux');
    expect(loaded?.lastSeenAt).toBeGreaterThan(Date.now() - 60_000);
    expect((await store.get(id))?.device).toBe('changed meanwhile');
  });

  test('keeps the list of an address as long as the sessions in it, even when a touch extends one', async () => {
    const id = annsId();
    const dayMs = 24 * 3600 * 1000;
    const yesterday = Date.now() - dayMs;
    await store.set(id, { ...annsData(), remember: true, signedInAt: yesterday, lastSeenAt: yesterday });
    expect(await redis.pTTL(sessionKey(id))).toBeLessThanOrEqual(13 * dayMs);
    await store.get(id);
    const indexLeftMs = await redis.pTTL(indexKey(tagOf(ann)));
    const sessionLeftMs = await redis.pTTL(sessionKey(id));
    expect(sessionLeftMs).toBeGreaterThan(13.9 * dayMs);
    expect(indexLeftMs).toBeGreaterThanOrEqual(sessionLeftMs);
  });

  test('lists a live session again when its entry was lost', async () => {
    const id = annsId();
    await store.set(id, { ...annsData(), lastSeenAt: Date.now() - 5 * 60_000 });
    await redis.del(indexKey(tagOf(ann)));
    await store.get(id);
    expect(await store.index.list(ann)).toHaveLength(1);
  });

  test('refuses to scan the keyspace (connect-redis#203)', async () => {
    for (const scan of [store.all, store.ids, store.length, store.clear]) {
      await expect(scan.call(store)).rejects.toThrow('whole keyspace');
    }
  });

  test('makes ids that are unguessable and unique (ASVS 7.2.3)', () => {
    const ids = new Set(Array.from({ length: 10_000 }, annsId));
    expect(ids.size).toBe(10_000);
    const random = [...ids].map((id) => id.slice(tagOf(ann).length));
    expect(Buffer.from(random[0] ?? '', 'base64url')).toHaveLength(16);
    // Each of the 128 bits is set in about half of the ids.
    for (let bit = 0; bit < 128; bit += 1) {
      const set = random.filter((text) => (Buffer.from(text, 'base64url')[bit >> 3] ?? 0) & (1 << (bit & 7))).length;
      expect(set).toBeGreaterThan(4700);
      expect(set).toBeLessThan(5300);
    }
  });
});

/** This Redis, where something happens between the answer to a `GET` and what is made of it. */
function meanwhile(happens: () => Promise<unknown>): RedisClient {
  return new Proxy(redis, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        const reply = await Reflect.apply(value, target, args);
        if (name === 'get') await happens();
        return reply;
      };
    },
  });
}
