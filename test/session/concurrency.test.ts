import { describe, expect, test } from 'vitest';
import { withDeadline } from '../../src/redis/deadline.ts';
import type { SessionRedis } from '../../src/session/commands.ts';
import { indexKey, sessionKey, tagOf } from '../../src/session/session-id.ts';
import { address } from '../support/address.ts';
import { startApp } from '../support/app.ts';
import { allKeys, gate, newStore, startFork } from '../support/fork.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

const redisAddress = await testRedis();
const app = await startApp({ redisAddress });
const { redis } = app;

let arrived = gate();
let mayGoOn = gate();
const forkUrl = await startFork(redis, (fork) => {
  fork.post('/slow', async (req, res) => {
    arrived.open();
    await mayGoOn.opened;
    req.session.device = 'written late';
    res.send('written');
  });
  fork.post('/slow-and-saved', async (req, res, next) => {
    arrived.open();
    await mayGoOn.opened;
    req.session.device = 'written late';
    req.session.save((error) => (error ? next(error) : res.send('written')));
  });
});

/** A request that has loaded the session and writes it only when it is let go. */
async function startSlowRequest(visitor: Visitor, path = '/slow') {
  [arrived, mayGoOn] = [gate(), gate()];
  const answer = visitor.copy(forkUrl).post(path);
  await arrived.opened;
  return async () => {
    mayGoOn.open();
    return answer;
  };
}

async function isSignedIn(visitor: Visitor): Promise<boolean> {
  return (await visitor.get('/admin')).status === 200;
}

describe('a request that writes its session late', () => {
  test('does not undo a logout (express-session#632, ASVS 7.4.1)', async () => {
    const visitor = new Visitor(app.url);
    await visitor.signIn('late@example.com');
    const old = visitor.copy();
    const finish = await startSlowRequest(visitor);
    await visitor.post('/logout');
    await finish();
    expect(await isSignedIn(old)).toBe(false);
    expect(await allKeys(redis)).toEqual([]);
  });

  test('is told so, if it waits for the save', async () => {
    const visitor = new Visitor(app.url);
    await visitor.signIn('late@example.com');
    const finish = await startSlowRequest(visitor, '/slow-and-saved');
    await visitor.post('/logout');
    expect((await finish()).status).toBe(401);
    expect(await allKeys(redis)).toEqual([]);
  });

  test('does not revive the session that a new sign-in replaced (ASVS 7.2.4)', async () => {
    const visitor = new Visitor(app.url);
    await visitor.signIn('late@example.com');
    const old = visitor.copy();
    const finish = await startSlowRequest(visitor);
    await visitor.signIn('late@example.com');
    await finish();
    expect(await isSignedIn(old)).toBe(false);
    expect(await isSignedIn(visitor)).toBe(true);
    await visitor.post('/logout');
  });

  test('does not revive a session that was ended elsewhere', async () => {
    const [here, there] = [new Visitor(app.url), new Visitor(app.url)];
    await here.signIn('late@example.com');
    await there.signIn('late@example.com');
    const finish = await startSlowRequest(there);
    await here.post('/admin/end-other-sessions');
    await finish();
    expect(await isSignedIn(there)).toBe(false);
    expect(await isSignedIn(here)).toBe(true);
    await here.post('/logout');
    expect(await allKeys(redis)).toEqual([]);
  });
});

test('two sign-ins at once under one old cookie give two sessions, both listed, and end the old one', async () => {
  const visitor = new Visitor(app.url);
  await visitor.signIn('twice@example.com');
  const [one, two, old] = [visitor.copy(), visitor.copy(), visitor.copy()];
  await Promise.all([one.signIn('twice@example.com'), two.signIn('twice@example.com')]);
  expect(one.sessionId).not.toBe(two.sessionId);
  expect(await isSignedIn(old)).toBe(false);
  expect([await isSignedIn(one), await isSignedIn(two)]).toEqual([true, true]);
  expect(await newStore(redis).index.list(address('twice@example.com'))).toHaveLength(2);
  await newStore(redis).index.endAll(address('twice@example.com'));
});

describe('ending all sessions of an address while it signs in', () => {
  const email = address('raced@example.com');

  /** Every live session of the address by its key, and those that the list knows. */
  async function audit() {
    const tag = tagOf(email);
    const live = (await redis.keys(`{${tag}}*`)).sort();
    const members = await redis.zRange(indexKey(tag), 0, -1);
    return { live, listed: members.map((member) => sessionKey(tag + member)).sort() };
  }

  test('ends what was there before, and leaves the newcomer alive and listed (ASVS 7.4.2)', async () => {
    const [before, during] = [new Visitor(app.url), new Visitor(app.url)];
    await before.signIn(email);
    // The sign-in happens between the index's look at the list and its deletion.
    let calls = 0;
    const raced: SessionRedis = {
      get: (key) => redis.get(key),
      async eval(script, options) {
        const reply = await redis.eval(script, options);
        calls += 1;
        if (calls === 1) await during.signIn(email);
        return reply;
      },
    };
    expect(await newStore(raced).index.endAll(email)).toBe(1);
    expect(calls).toBe(2);
    expect([await isSignedIn(before), await isSignedIn(during)]).toEqual([false, true]);
    const { live, listed } = await audit();
    expect(live).toHaveLength(1);
    expect(listed).toEqual(live);
    await during.post('/logout');
  });

  test('never leaves a live session unlisted, whatever the order', async () => {
    const { index } = newStore(redis);
    for (let round = 0; round < 30; round += 1) {
      const before = await Promise.all([1, 2, 3].map(() => signedIn()));
      const during = [new Visitor(app.url), new Visitor(app.url), new Visitor(app.url)];
      await Promise.all([index.endAll(email), ...during.map((visitor) => visitor.signIn(email))]);
      const { live, listed } = await audit();
      expect(listed).toEqual(live);
      expect(live.filter((key) => before.some(({ sessionId }) => sessionKey(sessionId) === key))).toEqual([]);
    }
    await index.endAll(email);
    expect(await audit()).toEqual({ live: [], listed: [] });
  });

  async function signedIn(): Promise<Visitor> {
    const visitor = new Visitor(app.url);
    await visitor.signIn(email);
    return visitor;
  }
});

test('a hundred requests of one session at once are all served, and leave it as it was', async () => {
  const visitor = new Visitor(app.url);
  await visitor.signIn('busy@example.com');
  const key = sessionKey(visitor.sessionId);
  const before = await redis.get(key);
  const visits = await Promise.all(Array.from({ length: 100 }, () => visitor.copy().get('/')));
  expect(visits.filter(({ status, text }) => status === 200 && text.includes('busy@example.com'))).toHaveLength(100);
  expect(await redis.get(key)).toBe(before);
  await visitor.post('/logout');
});

test('a call that Redis does not answer fails at its deadline', async () => {
  const never = new Promise<never>(() => {});
  await expect(withDeadline(5, never)).rejects.toThrow('did not answer within 5 ms');
});
