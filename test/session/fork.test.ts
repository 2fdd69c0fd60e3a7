import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import express from 'express';
import { afterEach, describe, expect, expectTypeOf, test } from 'vitest';
import { setFlash, takeFlash } from '../../src/session/flash.ts';
import { handleOf } from '../../src/session/session-id.ts';
import { type KeptField, signIn } from '../../src/session/sign-in.ts';
import { address } from '../support/address.ts';
import { startApp } from '../support/app.ts';
import { startFork } from '../support/fork.ts';
import { testRedis } from '../support/test-redis.ts';
import { Visitor } from '../support/visitor.ts';

// Named so that they don't contradict what a fork declares.
declare module 'express-session' {
  interface SessionData {
    testTheme?: string;
    testSize?: string;
    testCart?: string[];
  }
}

const redisAddress = await testRedis();
const app = await startApp({ redisAddress });
const { redis } = app;

const forkUrl = await startFork(redis, (fork) => {
  fork.use(express.urlencoded({ extended: false }));
  fork.post('/choose', (req, res) => {
    Object.assign(req.session, { testTheme: 'dark', testSize: 'large', testCart: ['book'] });
    res.send('chosen');
  });
  fork.post('/login', async (req, res) => {
    await signIn(req, address(req.body.email), { remember: false, keep: ['testTheme', 'testSize'] });
    res.redirect(303, '/');
  });
  fork.get('/', (req, res) => {
    const { email, testTheme, testSize, testCart } = req.session;
    res.json({ email, testTheme, testSize, testCart });
  });
  fork.post('/message', (req, res) => {
    setFlash(req, 'Saved.');
    res.redirect(303, '/message');
  });
  fork.get('/message', (req, res) => void res.send(takeFlash(req) ?? 'nothing'));
  fork.get('/broken', (req) => {
    takeFlash(req);
    throw new Error('on the page of the message');
  });
});

const seen = async (visitor: Visitor) => JSON.parse((await visitor.get('/')).text);

describe('signIn with `keep`', () => {
  test('takes along the fields that it names, and no others', async () => {
    const visitor = new Visitor(forkUrl);
    await visitor.post('/choose');
    const before = visitor.sessionId;
    await visitor.signIn('ann@example.com');
    expect(visitor.sessionId).not.toBe(before);
    expect(await seen(visitor)).toEqual({ email: 'ann@example.com', testTheme: 'dark', testSize: 'large' });
    await visitor.signIn('ann@example.com');
    expect(await seen(visitor)).toEqual({ email: 'ann@example.com', testTheme: 'dark', testSize: 'large' });
  });

  test("takes nothing along from somebody else's session", async () => {
    const visitor = new Visitor(forkUrl);
    await visitor.signIn('ann@example.com');
    await visitor.post('/choose');
    await visitor.signIn('bob@example.com');
    expect(await seen(visitor)).toEqual({ email: 'bob@example.com' });
  });

  test('never takes the identity along, whatever an unchecked caller names', async () => {
    const names = ['email', 'signedInAt', 'lastSeenAt', 'remember', 'device', 'cookie', 'save'] as unknown as [
      'testTheme',
    ];
    const url = await startFork(redis, (fork) => {
      fork.post('/login', async (req, res) => {
        await signIn(req, address('ann@example.com'), { remember: true, keep: names });
        res.redirect(303, '/');
      });
      fork.get('/', (req, res) => void res.json({ email: req.session.email, remember: req.session.remember }));
    });
    const visitor = (await signedIn(app.url)).copy(url);
    await visitor.signIn('any');
    expect(await seen(visitor)).toEqual({ email: 'ann@example.com', remember: true });
  });
});

describe('the channel latchkey:signed-in', () => {
  const heard: unknown[] = [];
  const listener = (message: unknown) => void heard.push(message);
  afterEach(() => {
    unsubscribe('latchkey:signed-in', listener);
    heard.length = 0;
  });

  test('tells of each sign-in once it is stored', async () => {
    subscribe('latchkey:signed-in', listener);
    const visitor = new Visitor(app.url, { 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0' });
    await visitor.signIn('Ann@Example.com', { remember: 'on' });
    const session = handleOf(visitor.sessionId);
    expect(heard).toEqual([{ email: 'ann@example.com', device: 'Firefox on Linux', remember: true, session }]);
  });

  test('tells of none that could not be stored, and of none that was refused', async () => {
    subscribe('latchkey:signed-in', listener);
    await new Visitor(app.url).post('/login', { form: { email: 'not an address' } });
    await redis.configSet('maxmemory', '1');
    const { status } = await new Visitor(app.url).post('/login', { form: { email: 'ann@example.com' } });
    await redis.configSet('maxmemory', '0');
    expect([status, heard]).toEqual([503, []]);
  });
});

describe('a flash message', () => {
  const message = async (visitor: Visitor, method = 'GET') => (await visitor.get('/message', { method })).text;

  test('is there for the next page, once', async () => {
    const visitor = (await signedIn(app.url)).copy(forkUrl);
    expect((await visitor.post('/message')).status).toBe(303);
    await message(visitor, 'HEAD');
    expect([await message(visitor), await message(visitor)]).toEqual(['Saved.', 'nothing']);
  });

  test('is still there after a page that failed', async () => {
    const visitor = (await signedIn(app.url)).copy(forkUrl);
    await visitor.post('/message');
    expect((await visitor.get('/broken')).status).toBe(500);
    expect(await message(visitor)).toBe('Saved.');
  });
});

async function signedIn(url: string): Promise<Visitor> {
  const visitor = new Visitor(url);
  await visitor.signIn('ann@example.com');
  return visitor;
}

test('a new session never takes along what the one before was bound to', () => {
  expectTypeOf<'testTheme'>().toExtend<KeptField>();
  expectTypeOf<'binding'>().not.toExtend<KeptField>();
});
