import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type EmailAddress, parseAddress } from '../../src/session/email-address.ts';
import {
  anonymousTag,
  handleOf,
  indexKey,
  memberOf,
  newSessionId,
  sessionKey,
  tagOf,
} from '../../src/session/session-id.ts';
import { address } from '../support/address.ts';
import { startApp } from '../support/app.ts';
import { commandsFor } from '../support/commands.ts';
import { allKeys, newStore } from '../support/fork.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

const redisAddress = await testRedis();
const app = await startApp({ redisAddress });
const otherInstance = await startApp({ redisAddress });
const { index } = newStore(app.redis);
const email = address('ann@example.com');
const firefox = { 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' };
const iphone = {
  'User-Agent':
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
};

beforeEach(() => app.redis.flushAll());

async function signedIn(headers: Record<string, string> = {}, owner = email): Promise<Visitor> {
  const visitor = new Visitor(app.url, headers);
  await visitor.signIn(owner);
  return visitor;
}

async function isSignedIn(visitor: Visitor): Promise<boolean> {
  return (await visitor.copy(otherInstance.url).get('/admin')).status === 200;
}

describe('the list of sessions on /admin (ASVS 7.5.2)', () => {
  test('names each by its browser and system, and says which is this one', async () => {
    await signedIn(iphone);
    const here = await signedIn(firefox);
    const { text } = await here.get('/admin');
    expect(text).toContain('<strong>Safari on iOS</strong>');
    expect(text).toMatch(/<strong>Firefox on Linux<\/strong>\s*<span class="tag">This session/);
    expect(text.match(/<span class="tag">This session/g)).toHaveLength(1);
    expect(text.match(/action="\/admin\/end-session"/g)).toHaveLength(1);
  });

  test('shows when this session was last seen, even if it was touched after the list was read', async () => {
    const here = await signedIn(firefox);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 10 * 60_000 });
    const { text } = await here.get('/admin');
    vi.useRealTimers();
    expect(text).toContain('Last seen just now');
  });

  test('holds no session id, nor any part of one that could become one', async () => {
    const [here, there] = [await signedIn(), await signedIn()];
    const { text } = await here.get('/admin');
    for (const { sessionId } of [here, there]) {
      expect(text).not.toContain(sessionId);
      expect(text).not.toContain(sessionId.slice(16));
    }
    expect(text).toContain(handleOf(there.sessionId));
  });

  test('shows nobody else, and nothing that has ended', async () => {
    const here = await signedIn(firefox);
    await signedIn(iphone, address('bob@example.com'));
    const gone = await signedIn(iphone);
    await app.redis.del(sessionKey(gone.sessionId));
    expect((await here.get('/admin')).text).not.toContain('Safari');
  });

  test('shows when each was last seen and when it signed in, and none that is past its limit', async () => {
    const now = Date.now();
    vi.useFakeTimers({ toFake: ['Date'], now: now - 60 * 60_000 });
    const used = await signedIn(firefox);
    await signedIn(iphone);
    vi.setSystemTime(now - 40 * 60_000);
    await used.get('/');
    vi.setSystemTime(now - 20 * 60_000);
    await used.get('/');
    vi.useRealTimers();
    const [listed, ...others] = await index.list(email);
    expect([others, listed?.device]).toEqual([[], 'Firefox on Linux']);
    expect(Math.abs((listed?.signedInAt ?? 0) - (now - 60 * 60_000))).toBeLessThan(2000);
    expect(Math.abs((listed?.lastSeenAt ?? 0) - (now - 20 * 60_000))).toBeLessThan(2000);
    const here = await signedIn({ 'User-Agent': 'curl' });
    expect((await here.get('/admin')).text).toMatch(/Firefox on Linux[\s\S]*?Last seen 20 minutes ago/);
  });

  test('has one order on every instance, and ends to the millisecond', async () => {
    const now = Math.floor(Date.now() / 1000) * 1000;
    vi.useFakeTimers({ toFake: ['Date'], now });
    onTestFinished(() => void vi.useRealTimers());
    const visitors = [await signedIn(), await signedIn(), await signedIn(), await signedIn()];
    const ids = visitors.map(({ sessionId }) => sessionId).sort();
    expect((await index.list(email)).map(({ handle }) => handle)).toEqual(ids.map(handleOf));
    vi.setSystemTime(now + 30 * 60_000 - 1);
    expect(await index.list(email)).toHaveLength(4);
    vi.setSystemTime(now + 30 * 60_000);
    expect(await index.list(email)).toEqual([]);
  });

  test('says whether a session that was ended was live', async () => {
    const [one, two] = [await signedIn(), await signedIn()];
    expect(await index.end(email, handleOf(one.sessionId))).toBe(true);
    expect(await index.end(email, handleOf(one.sessionId))).toBe(false);
    expect(await index.endById(two.sessionId)).toBe(true);
    expect(await index.endById(two.sessionId)).toBe(false);
  });

  // The list comes from Redis as one text, in which a NUL separates the sessions.
  test.each([
    ['corrupt', () => 'corrupt'],
    ['empty', () => ''],
    ['one that pretends to be another', (record: string) => `corrupt\0${'x'.repeat(22)}${record}`],
    ['one that pretends to be whole', (record: string) => `${record}\0corrupt`],
  ])('passes over a record that is %s, and still ends its session with the others', async (_, change) => {
    const here = await signedIn(firefox);
    const corrupt = sessionKey((await signedIn(iphone)).sessionId);
    await app.redis.set(corrupt, change((await app.redis.get(corrupt)) ?? ''), { expiration: 'KEEPTTL' });
    expect(await index.list(email)).toMatchObject([{ device: 'Firefox on Linux' }]);
    expect((await here.get('/admin')).text).not.toContain('Safari');
    await index.endAll(email, { exceptId: here.sessionId });
    expect([await app.redis.exists(corrupt), await isSignedIn(here)]).toEqual([0, true]);
  });
});

// A deleted index, an eviction, or a dump that was restored without it.
describe('sessions whose entries in the list were lost', () => {
  const indexOfAnn = indexKey(tagOf(email));

  test('cost other pages nothing, and are listed again when they open the list', async () => {
    const [one, two] = [await signedIn(firefox), await signedIn(iphone)];
    await app.redis.del(indexOfAnn);
    expect(await commandsFor(app.redis, () => one.get('/'))).toEqual({ get: '1' });
    expect((await one.get('/admin')).text).toContain('Firefox on Linux');
    const { text } = await two.get('/admin');
    expect([text.includes('Firefox on Linux'), text.includes('Safari on iOS')]).toEqual([true, true]);
    const indexLeftMs = await app.redis.pTTL(indexOfAnn);
    expect(indexLeftMs).toBeGreaterThan(29 * 60_000);
    await two.post('/admin/end-other-sessions');
    expect([await isSignedIn(one), await isSignedIn(two)]).toEqual([false, true]);
  });

  test('are listed again at their next touch, and "end all" then ends them', async () => {
    const [here, unlisted] = [await signedIn(), await signedIn()];
    await app.redis.zRem(indexOfAnn, memberOf(unlisted.sessionId));
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * 60_000 });
    await unlisted.get('/');
    vi.useRealTimers();
    await here.post('/admin/end-other-sessions');
    expect([await isSignedIn(here), await isSignedIn(unlisted)]).toEqual([true, false]);
  });

  test('are shown to themselves even where Redis takes no writes', async () => {
    // Its own, since an app that has seen a replica opens its connections once more, at any moment after that.
    const demoted = await startApp();
    const here = new Visitor(demoted.url, firefox);
    await here.signIn(email);
    await demoted.redis.del(indexOfAnn);
    await demoted.redis.sendCommand(['REPLICAOF', '127.0.0.1', '1']);
    const { status, text } = await here.get('/admin');
    expect([status, text.includes('Firefox on Linux')]).toEqual([200, true]);
    expect(await demoted.redis.exists(indexOfAnn)).toBe(0);
  });

  test('are not listed again once they have ended, or if they have no address', async () => {
    const gone = await signedIn();
    const goneId = gone.sessionId;
    await gone.post('/logout');
    const there = await signedIn();
    expect(await index.listFor(goneId)).toHaveLength(1);
    expect(await app.redis.zRange(indexOfAnn, 0, -1)).toEqual([memberOf(there.sessionId)]);
    await there.post('/logout');
    expect(await index.listFor(goneId)).toEqual([]);
    expect(await app.redis.exists(indexOfAnn)).toBe(0);
    const anonymous = newSessionId(anonymousTag);
    expect(await commandsFor(app.redis, () => index.listFor(anonymous))).toEqual({});
  });

  test('can be listed, touched, ended and signed in again even if a key of another type is in the way', async () => {
    const visitor = await signedIn();
    const putInTheWay = async () => {
      await app.redis.del(indexOfAnn);
      await app.redis.set(indexOfAnn, 'text');
    };
    await putInTheWay();
    expect((await visitor.get('/admin')).text).toContain('This session');
    await putInTheWay();
    const another = await signedIn(firefox);
    expect((await another.get('/admin')).text).toContain('Firefox on Linux');
    await putInTheWay();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * 60_000 });
    await another.get('/');
    vi.useRealTimers();
    expect(await index.list(email)).toHaveLength(1);
    await putInTheWay();
    expect((await another.post('/logout')).status).toBe(303);
    expect(await isSignedIn(visitor)).toBe(true);
  });
});

describe('ending one session', () => {
  test('makes it dead at once on every instance, and no other', async () => {
    const [here, there, third] = [await signedIn(), await signedIn(), await signedIn()];
    expect(await isSignedIn(there)).toBe(true);
    const { status } = await here.post('/admin/end-session', { form: { session: handleOf(there.sessionId) } });
    expect(status).toBe(303);
    expect([await isSignedIn(here), await isSignedIn(there), await isSignedIn(third)]).toEqual([true, false, true]);
    expect(app.logged()).toContainEqual(
      expect.objectContaining({ msg: 'session ended', session: handleOf(there.sessionId) }),
    );
  });

  test("does not reach another person's session", async () => {
    const eve = await signedIn({}, address('eve@example.com'));
    const victim = await signedIn();
    await eve.post('/admin/end-session', { form: { session: handleOf(victim.sessionId) } });
    expect(await isSignedIn(victim)).toBe(true);
  });

  test('asks for a choice when the form names none, and does nothing for a name that is unknown', async () => {
    const here = await signedIn();
    expect((await here.post('/admin/end-session')).status).toBe(422);
    expect((await here.post('/admin/end-session', { json: { session: ['x'] } })).status).toBe(422);
    expect((await here.post('/admin/end-session', { form: { session: 'unknown' } })).status).toBe(303);
    expect(await isSignedIn(here)).toBe(true);
  });

  test('needs a login', async () => {
    const nobody = new Visitor(app.url);
    expect((await nobody.post('/admin/end-session', { form: { session: 'x' } })).status).toBe(401);
    expect((await nobody.post('/admin/end-other-sessions')).status).toBe(401);
  });
});

test('ending all others leaves this one (ASVS 7.4.3)', async () => {
  const here = await signedIn();
  const others = [await signedIn(), await signedIn(), await signedIn()];
  const stranger = await signedIn({}, address('bob@example.com'));
  await here.post('/admin/end-other-sessions');
  expect(await Promise.all(others.map(isSignedIn))).toEqual([false, false, false]);
  expect([await isSignedIn(here), await isSignedIn(stranger)]).toEqual([true, true]);
});

describe('what Redis holds', () => {
  test('nothing of an address once all its sessions have ended', async () => {
    const visitors = [await signedIn(), await signedIn()];
    for (const visitor of visitors) await visitor.post('/logout');
    expect(await allKeys(app.redis)).toEqual([]);
  });

  test('no entry of an expired session after the next sign-in', async () => {
    const gone = await signedIn();
    await app.redis.del(sessionKey(gone.sessionId));
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31 * 60_000 });
    const here = await signedIn();
    vi.useRealTimers();
    expect(await app.redis.zRange(indexKey(tagOf(email)), 0, -1)).toEqual([memberOf(here.sessionId)]);
  });

  test('a list that lives no longer than its longest session', async () => {
    await signedIn();
    await new Visitor(app.url).signIn(email, { remember: 'on' });
    await signedIn();
    const left = await app.redis.pTTL(indexKey(tagOf(email)));
    expect(left).toBeGreaterThan(14 * 86_400_000 - 60_000);
    expect(left).toBeLessThanOrEqual(14 * 86_400_000);
  });
});

describe('the cap on parallel sessions (ASVS 7.1.2)', () => {
  test('ends the least recently used session when one more signs in', async () => {
    const capped = await startApp({ redisAddress, env: { SESSIONS_PER_ADDRESS: '3' } });
    const now = Date.now();
    const visitors: Visitor[] = [];
    vi.useFakeTimers({ toFake: ['Date'], now });
    for (let count = 0; count < 3; count += 1) {
      vi.setSystemTime(now + count * 60_000);
      const visitor = new Visitor(capped.url);
      await visitor.signIn(email);
      visitors.push(visitor);
    }
    // The first one is used, so the second is now the least recently used.
    vi.setSystemTime(now + 5 * 60_000);
    await visitors[0]?.get('/');
    visitors.push(await signedInAt(capped.url));
    const alive = await Promise.all(visitors.map(isSignedIn));
    vi.useRealTimers();
    expect(alive).toEqual([true, false, true, true]);
  });

  test('never ends the one that has just signed in, though another of the same second lasts longer', async () => {
    const capped = await startApp({ redisAddress, env: { SESSIONS_PER_ADDRESS: '1' } });
    const now = Math.floor(Date.now() / 1000) * 1000;
    vi.useFakeTimers({ toFake: ['Date'], now });
    const kept = new Visitor(capped.url);
    await kept.signIn(email, { remember: 'on' });
    const newcomers: Visitor[] = [];
    for (let count = 1; count <= 8; count += 1) {
      vi.setSystemTime(now + count);
      const newcomer = await signedInAt(capped.url);
      expect(await isSignedIn(newcomer)).toBe(true);
      newcomers.push(newcomer);
    }
    vi.useRealTimers();
    const alive = await Promise.all([kept, ...newcomers].map(isSignedIn));
    expect(alive).toEqual([...Array.from({ length: 8 }, () => false), true]);
  });

  test.each([1, 3])('leaves %i live when eight sign in at once, and says which it ended', async (most) => {
    const capped = await startApp({ redisAddress, env: { SESSIONS_PER_ADDRESS: String(most) } });
    for (let round = 1; round <= 5; round += 1) {
      const before = capped.logged().length;
      const visitors = await Promise.all(Array.from({ length: 8 }, () => signedInAt(capped.url)));
      const alive = await Promise.all(visitors.map(isSignedIn));
      expect(alive.filter(Boolean)).toHaveLength(most);
      const ended = capped
        .logged()
        .slice(before)
        .filter(({ msg }) => msg === 'session ended');
      const dead = visitors.filter((_, position) => !alive[position]).map(({ sessionId }) => handleOf(sessionId));
      const told = new Set(ended.map(({ session }) => session));
      expect(dead.filter((handle) => !told.has(handle))).toEqual([]);
      expect(new Set(ended.map(({ by }) => by))).toEqual(new Set(['SESSIONS_PER_ADDRESS']));
    }
  });

  async function signedInAt(url: string): Promise<Visitor> {
    const visitor = new Visitor(url);
    await visitor.signIn(email);
    return visitor;
  }
});

test('takes nothing but a canonical address: another spelling has no sessions, and ending them would end none', async () => {
  await signedIn();
  for (const value of ['Ann@Example.com', '', undefined, parseAddress(email)]) {
    const unchecked = value as EmailAddress;
    await expect(index.list(unchecked)).rejects.toThrow(TypeError);
    await expect(index.end(unchecked, 'handle')).rejects.toThrow(TypeError);
    await expect(index.endAll(unchecked)).rejects.toThrow(TypeError);
  }
  expect(await index.list(email)).toHaveLength(1);
});
