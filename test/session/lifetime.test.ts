import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { endOf, touchGrainSeconds } from '../../src/session/lifetime.ts';
import { sessionKey } from '../../src/session/session-id.ts';
import { startApp } from '../support/app.ts';
import { Visitor } from '../support/visitor.ts';

const app = await startApp();
const limits = readConfig({}).sessionLimits;
const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

// The app's clock moves, Redis's own does not: what is seen here is the server's check on load.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2030-01-01T12:00:00Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

function pass(milliseconds: number): void {
  vi.setSystemTime(Date.now() + milliseconds);
}

async function signedIn(form: Record<string, string> = {}): Promise<Visitor> {
  const visitor = new Visitor(app.url);
  await visitor.signIn('ann@example.com', form);
  return visitor;
}

async function isSignedIn(visitor: Visitor): Promise<boolean> {
  return (await visitor.get('/admin')).status === 200;
}

async function redisMillisecondsLeft(visitor: Visitor): Promise<number> {
  return app.redis.pTTL(sessionKey(visitor.sessionId));
}

describe('the idle limit (ASVS 7.3.1)', () => {
  test('ends a session after 30 minutes without a request', async () => {
    const visitor = await signedIn();
    pass(30 * minute - 1000);
    expect(await isSignedIn(visitor.copy())).toBe(true);
    pass(30 * minute + 1000);
    expect(await isSignedIn(visitor)).toBe(false);
  });

  test('is extended by use, but written at most once in 90 seconds', async () => {
    const visitor = await signedIn();
    pass(89_000);
    const stored = await app.redis.get(sessionKey(visitor.sessionId));
    await visitor.get('/');
    expect(await app.redis.get(sessionKey(visitor.sessionId))).toBe(stored);
    pass(1000);
    expect((await visitor.get('/')).setCookies).toEqual([]);
    expect(await app.redis.get(sessionKey(visitor.sessionId))).not.toBe(stored);
  });

  test('is enforced by Redis as well', async () => {
    const visitor = await signedIn();
    expect(await redisMillisecondsLeft(visitor)).toBeLessThanOrEqual(30 * minute);
    expect(await redisMillisecondsLeft(visitor)).toBeGreaterThan(29 * minute);
  });
});

describe('the absolute limit (ASVS 7.3.2, express-session#557)', () => {
  test('ends a session after 8 hours however much it is used', async () => {
    const visitor = await signedIn();
    const end = Date.now() + 8 * hour;
    while (Date.now() < end - 10 * minute) {
      expect(await isSignedIn(visitor)).toBe(true);
      pass(10 * minute);
    }
    expect(await isSignedIn(visitor)).toBe(true);
    expect(await redisMillisecondsLeft(visitor)).toBeLessThanOrEqual(10 * minute);
    pass(10 * minute);
    expect(await isSignedIn(visitor)).toBe(false);
  });
});

describe('keep me signed in', () => {
  test('chooses the longer pair: 14 days idle, 30 days in all', async () => {
    const visitor = await signedIn({ remember: 'on' });
    pass(14 * day - minute);
    expect(await isSignedIn(visitor)).toBe(true);
    pass(14 * day - minute);
    expect(await isSignedIn(visitor)).toBe(true);
    pass(2 * day + 2 * minute);
    expect(await isSignedIn(visitor)).toBe(false);
    const idle = await signedIn({ remember: 'on' });
    pass(14 * day + minute);
    expect(await isSignedIn(idle)).toBe(false);
  });

  test('gives a cookie that ends with the session, and is extended with it', async () => {
    const visitor = new Visitor(app.url);
    const [first = ''] = (await visitor.signIn('ann@example.com', { remember: 'on' })).setCookies;
    expect(expiryOf(first)).toBe(Date.now() + 14 * day);

    pass(9 * minute);
    expect((await visitor.get('/')).setCookies).toEqual([]);
    pass(minute);
    const [renewed = ''] = (await visitor.get('/')).setCookies;
    expect(expiryOf(renewed)).toBe(Date.now() + 14 * day);
    expect(renewed).toMatch(/HttpOnly; SameSite=Lax/);

    pass(13 * day);
    await visitor.get('/');
    pass(13 * day);
    const [last = ''] = (await visitor.get('/')).setCookies;
    expect(expiryOf(last)).toBeLessThan(Date.now() + 4 * day + minute);
    expect(await isSignedIn(visitor)).toBe(true);
  });

  test('is a choice: without it the cookie ends with the browser', async () => {
    const [cookie = ''] = (await new Visitor(app.url).signIn('ann@example.com')).setCookies;
    expect(cookie).not.toMatch(/expires|max-age/i);
  });

  function expiryOf(cookie: string): number {
    return Date.parse(/Expires=([^;]+)/.exec(cookie)?.[1] ?? '');
  }
});

test('the grain is 5 % of the idle limit, from one to ten minutes, and at most half of a short one', () => {
  const grain = (idleSeconds: number) => touchGrainSeconds({ remember: false }, { ...limits, idleSeconds });
  expect([grain(30), grain(600), grain(1800), grain(7200), grain(86_400)]).toEqual([15, 60, 90, 360, 600]);
});

test('a session ends at whichever limit comes first', () => {
  const at = (signedInAt: number, lastSeenAt: number) => endOf({ signedInAt, lastSeenAt, remember: false }, limits);
  expect(at(0, 0)).toBe(30 * minute);
  expect(at(0, 7 * hour + 45 * minute)).toBe(8 * hour);
});

test('a session that signed in before all were ended has ended', () => {
  const signedInAt = Date.now();
  const session = { signedInAt, lastSeenAt: signedInAt, remember: false };
  const endWith = (minSignedInAt: number) => endOf(session, { ...limits, minSignedInAt: () => minSignedInAt });
  expect(endWith(signedInAt)).toBe(signedInAt + 30 * minute);
  expect(endWith(signedInAt + 1)).toBe(0);
});
